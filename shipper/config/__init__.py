"""Everything that can be set: its sections, and how they are read from a file and from flags.

Each part of the agent is given its own section, never the whole; the names are those of the file.
"""

from shipper.config.checks import ConfigError
from shipper.config.sections import (
    ALL,
    FIELDS,
    GIB,
    KIB,
    LABELS,
    LINE_FIELDS,
    MIB,
    MTLS_LABELS,
    TARGET_FIELDS,
    BackoffConfig,
    BasicAuth,
    Bytes,
    ClientConfig,
    Config,
    LimitsConfig,
    LookBack,
    PodLogsConfig,
    PositionsConfig,
    ScrapeConfig,
    Seconds,
    ServerConfig,
    TlsConfig,
)

__all__ = [
    "ALL",
    "FIELDS",
    "GIB",
    "KIB",
    "LABELS",
    "LINE_FIELDS",
    "MIB",
    "MTLS_LABELS",
    "TARGET_FIELDS",
    "BackoffConfig",
    "BasicAuth",
    "Bytes",
    "ClientConfig",
    "Config",
    "ConfigError",
    "LimitsConfig",
    "LookBack",
    "PodLogsConfig",
    "PositionsConfig",
    "ScrapeConfig",
    "Seconds",
    "ServerConfig",
    "TlsConfig",
]
