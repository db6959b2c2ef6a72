"""Everything that can be set: the sections, and how a file and flags fill them.

Each part of the agent gets its own section, never the whole; the names are those of the file.
"""

from shipper.config.errors import ConfigError
from shipper.config.sections import (
    ALL,
    LABELS,
    MTLS_LABELS,
    PEER_LABELS,
    BackoffConfig,
    BasicAuth,
    ClientConfig,
    Config,
    DirectoryConfig,
    LimitsConfig,
    PeersConfig,
    PodLogsConfig,
    PositionsConfig,
    ScrapeConfig,
    ServerConfig,
    TlsConfig,
)
from shipper.config.units import GIB, KIB, MIB, Bytes, LookBack, Seconds
