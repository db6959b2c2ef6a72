"""Everything that can be set, with its default, unit and meaning; nothing of where a value came from.

Each part of the agent is given its own section, never the whole. The names are those of the configuration
file, Promtail's where Promtail has one.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

KIB, MIB = 1 << 10, 1 << 20


class Seconds(float):
    """A duration: `250ms`, `1s`, `5m`, `1h`, `7d`; a bare number means seconds."""


class Bytes(int):
    """A size: `64KiB`, `1MiB`; a bare number means bytes."""


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the configuration: immutable, and strict about what it does not know."""


class ServerConfig(Section, frozen=True):
    """The agent's own HTTP server."""

    http_listen_address: str = "127.0.0.1"
    http_listen_port: Annotated[int, Meta(ge=0, le=65535)] = 9080
    log_level: Literal["debug", "info", "warn", "error"] = "info"
    log_format: Literal["text", "json"] = "text"


class PositionsConfig(Section, frozen=True):
    """How far each file is shipped, kept across restarts."""

    filename: str = "./positions.json"
    look_back: Literal["all"] | Seconds = "all"


class BackoffConfig(Section, frozen=True):
    """Waits between attempts: doubling from one to the other, each with full jitter."""

    min_period: Seconds = Seconds(0.5)
    max_period: Seconds = Seconds(10)


class BasicAuth(Section, frozen=True):
    """User name, and a file that holds the password."""

    username: str = ""
    password_file: str = ""


class TlsConfig(Section, frozen=True):
    """TLS to Loki; a client certificate is optional."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False


class ClientConfig(Section, frozen=True):
    """Where entries go, and how."""

    url: str
    tenant_id: str = ""
    batchwait: Seconds = Seconds(1)
    batchsize: Bytes = Bytes(1 * MIB)
    timeout: Seconds = Seconds(10)
    backoff_config: BackoffConfig = BackoffConfig()
    max_in_flight: Annotated[int, Meta(ge=1, le=64)] = 8
    basic_auth: BasicAuth = BasicAuth()
    bearer_token_file: str = ""
    tls_config: TlsConfig = TlsConfig()
    headers: dict[str, str] = {}
    external_labels: dict[str, str] = {}
    on_reject: Literal["quarantine", "drop"] = "quarantine"
    quarantine_file: str = ""


class PodLogsConfig(Section, frozen=True):
    """Which containers' logs are tailed."""

    root: str = "/var/log/pods"
    containers: list[str] = ["istio-proxy"]
    exclude_namespaces: list[str] = []


LABELS = ["namespace", "app", "pod", "response_flags", "termination_details", "source_san"]


class ScrapeConfig(Section, frozen=True):
    """What is read, what is kept of it, and under which labels."""

    job_name: str = "kubernetes-pods-istio-proxy"
    pod_logs: PodLogsConfig = PodLogsConfig()
    keep: Literal["ut", "mtls"] = "ut"
    labels: list[str] = LABELS
    structured_metadata: list[str] = []
    static_labels: dict[str, str] = {}
    kubernetes: bool = False
    app_label: list[str] = ["app", "app.kubernetes.io/name"]


class LimitsConfig(Section, frozen=True):
    """What the agent may take, whatever happens."""

    in_flight: Bytes = Bytes(16 * MIB)
    max_line_size: Bytes = Bytes(1 * MIB)
    max_label_values: Annotated[int, Meta(ge=1)] = 200
    max_streams: Annotated[int, Meta(ge=1)] = 500
    open_files: Annotated[int, Meta(ge=1)] = 200


class Config(Section, frozen=True):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    positions: PositionsConfig = PositionsConfig()
    clients: Annotated[list[ClientConfig], Meta(max_length=1)] = []
    scrape_configs: Annotated[list[ScrapeConfig], Meta(min_length=1, max_length=1)] = field(
        default_factory=lambda: [ScrapeConfig()]
    )
    limits_config: LimitsConfig = LimitsConfig()
