"""Everything that can be set: its sections, and how they are read from a file and from flags.

Each part of the agent is given its own section, never the whole; the names are those of the file.
"""

from shipper.config.errors import ConfigError
from shipper.config.sections import (
    ALL,
    LABELS,
    MTLS_LABELS,
    BackoffConfig,
    BasicAuth,
    ClientConfig,
    Config,
    LimitsConfig,
    PodLogsConfig,
    PositionsConfig,
    ScrapeConfig,
    ServerConfig,
    TlsConfig,
)
from shipper.config.units import GIB, KIB, MIB, Bytes, LookBack, Seconds

__all__ = [
    "ALL",
    "GIB",
    "KIB",
    "LABELS",
    "MIB",
    "MTLS_LABELS",
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
