"""Everything that can be set, with its default, unit and meaning. Does not know where a value came from.

Each part of the agent gets its own section, never the whole. The names are those of the configuration file, and
Promtail's where Promtail has one. A section cannot be made with invalid values.
"""

from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from shipper.config import checks
from shipper.config.errors import ConfigError
from shipper.config.units import GIB, KIB, MIB, Bytes, LookBack, Seconds
from shipper.fields import ACCESS_LOG_KEYS, FIELDS, KEYS, PEER_FIELDS, TARGET_FIELDS

LABELS: Final = ("namespace", "app", "pod", "response_flags", "termination_details", "source_san")
MTLS_LABELS: Final = ("failure_reason", "side")  # with `keep: mtls`, beside those
PEER_LABELS: Final = ("peer_namespace", "peer_app")  # with `peers.url`, beside all of them

ALL: Final = LookBack("inf")


class Alias(NamedTuple):
    """An older name of an option, which a file may use for ever."""

    name: str


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the configuration: immutable; an unknown key is an error."""


class ServerConfig(Section, frozen=True):
    """The agent's own HTTP server, and its log."""

    http_listen_address: Annotated[str, "host or address to listen on; in a pod `0.0.0.0`"] = "127.0.0.1"
    http_listen_port: Annotated[int, Meta(ge=0, le=65535), "0: any free port; the log says which"] = 9080
    show_lines: Annotated[
        bool,
        "show log lines and identities on `/`, `/targets` and `/tap`; on a loopback address they are shown anyway",
    ] = False
    log_level: Annotated[Literal["debug", "info", "warn", "error"], "lowest severity that is logged"] = "info"
    log_format: Annotated[Literal["text", "json"], "format of the agent's own log, on stderr"] = "text"

    def __post_init__(self) -> None:
        checks.filled("http_listen_address", self.http_listen_address)


class PositionsConfig(Section, frozen=True):
    """How far each file is shipped, kept across restarts."""

    filename: Annotated[
        str, "path of the file, or of a link to it; replaced atomically, or written in place where it is a mount"
    ] = "./positions.json"
    look_back: Annotated[LookBack, "how old lines may be at the start, in a log of which nothing is known"] = ALL

    def __post_init__(self) -> None:
        checks.filled("filename", self.filename)
        checks.not_negative("look_back", self.look_back)


class BackoffConfig(Section, frozen=True):
    """Waits between attempts. Their ceiling doubles from one period to the other; each wait has full jitter."""

    min_period: Annotated[Seconds, "ceiling of the first wait"] = Seconds(0.5)
    max_period: Annotated[Seconds, "highest ceiling; at least `min_period`"] = Seconds(10)

    def __post_init__(self) -> None:
        checks.positive("min_period", self.min_period)
        if not self.max_period >= self.min_period:
            raise ConfigError(f"expected at least min_period ({self.min_period:g}s)", "max_period")


class BasicAuth(Section, frozen=True):
    """A user name and a file with the password: both or none."""

    username: Annotated[str, "empty: no basic authentication"] = ""
    password_file: Annotated[str, "read again when it changes"] = ""

    def __post_init__(self) -> None:
        checks.pair("username", self.username, "password_file", self.password_file)


class TlsConfig(Section, frozen=True):
    """TLS to the server; a client certificate is optional."""

    ca_file: Annotated[str, "PEM, the authorities that are trusted; empty: the system's"] = ""
    cert_file: Annotated[str, "PEM, the client's certificate; read again when it changes"] = ""
    key_file: Annotated[str, "PEM; with `cert_file`"] = ""
    server_name: Annotated[str, "name expected in the server's certificate; empty: the URL's host"] = ""
    insecure_skip_verify: Annotated[bool, "accept any certificate"] = False

    def __post_init__(self) -> None:
        checks.pair("cert_file", self.cert_file, "key_file", self.key_file)


class ClientConfig(Section, frozen=True):
    """The Loki that entries are pushed to."""

    url: Annotated[str, "Loki's push endpoint, such as `http://loki:3100/loki/api/v1/push`"]
    tenant_id: Annotated[str, "sent as `X-Scope-OrgID`; empty: not sent"] = ""
    batchwait: Annotated[
        Seconds, "longest wait for more entries of a stream, and after a write for more lines; 0: none"
    ] = Seconds(1)
    batchsize: Annotated[Bytes, "most bytes of a request before compression, 1KiB to 3MiB"] = Bytes(1 * MIB)
    timeout: Annotated[Seconds, "for a whole push, from connecting to the answer"] = Seconds(10)
    backoff_config: BackoffConfig = BackoffConfig()
    max_in_flight_requests: Annotated[
        int, Meta(ge=1, le=64), "most requests at a time; one per stream", Alias("max_in_flight")
    ] = 8
    basic_auth: BasicAuth = BasicAuth()
    bearer_token_file: Annotated[str, "read again when it changes; not with `basic_auth`"] = ""
    tls_config: TlsConfig = TlsConfig()
    headers: Annotated[dict[str, str], "sent with every push; not those that the agent sets itself"] = {}
    external_labels: Annotated[dict[str, str], "labels of every stream, such as `cluster: prod`"] = {}
    on_reject: Annotated[
        Literal["quarantine", "drop"], "what to do with an entry that Loki refuses for good; it is counted either way"
    ] = "quarantine"
    quarantine_file: Annotated[str, "empty: `quarantine.jsonl` beside the positions"] = ""

    def __post_init__(self) -> None:
        checks.refuse("url", checks.url_problem(self.url))
        checks.refuse("tenant_id", checks.tenant_problem(self.tenant_id))
        checks.not_negative("batchwait", self.batchwait)
        checks.size("batchsize", self.batchsize, 1 * KIB, 3 * MIB)
        checks.positive("timeout", self.timeout)
        if self.basic_auth.username and self.bearer_token_file:
            raise ConfigError("excludes basic_auth, give one of them", "bearer_token_file")
        authorized = bool(self.basic_auth.username or self.bearer_token_file)
        checks.headers(self.headers, authorized=authorized)
        checks.fixed_labels("external_labels", self.external_labels)


class PodLogsConfig(Section, frozen=True):
    """Which containers' logs are tailed."""

    root: Annotated[str, "the kubelet's directory of pod logs, or any directory of logs"] = "/var/log/pods"
    containers: Annotated[tuple[str, ...], "containers that are read; at least one"] = ("istio-proxy",)
    exclude_namespaces: Annotated[tuple[str, ...], "namespaces whose pods are not read"] = ()

    def __post_init__(self) -> None:
        checks.filled("root", self.root)
        if not self.containers:
            raise ConfigError("expected at least one container", "containers")
        checks.each("containers", self.containers, checks.name_problem)
        checks.each("exclude_namespaces", self.exclude_namespaces, checks.name_problem)


class PeersConfig(Section, frozen=True):
    """The `shipper directory` that is asked whose the peer's address was, at the time of a failed handshake.

    The peer is who has connected, or for `side="upstream"` who was connected to. A line waits for its answer for
    `timeout` at most, and then goes without: no line is lost, whatever the directory does.
    """

    url: Annotated[str, "the directory, such as `http://shipper-directory:9080`; empty: peers are not named"] = ""
    timeout: Annotated[
        Seconds, "how long a line waits at most; longer than `directory.wait`, which it takes to be sure of now"
    ] = Seconds(2)
    timeouts: Annotated[bool, "ask also about kept lines of timeouts, not about failed handshakes alone"] = False
    bearer_token_file: Annotated[str, "the directory's token; read again when it changes; empty: none is sent"] = ""
    tls_config: TlsConfig = TlsConfig()

    def __post_init__(self) -> None:
        if self.url:
            checks.refuse("url", checks.directory_url_problem(self.url))
        checks.positive("timeout", self.timeout)


class ScrapeConfig(Section, frozen=True):
    """What is read, what is kept of it, and under which labels.

    `keep: ut` finds only requests that ran out of time: with Istio's defaults none do, for its routes have no timeout
    unless a VirtualService sets one.

    With `keep: mtls` the default labels also have `failure_reason` and `side`, with `peers.url` also `peer_namespace`
    and `peer_app`; any other list is used as it is.
    """

    job_name: Annotated[str, "value of the label `job`"] = "kubernetes-pods-istio-proxy"
    pod_logs: PodLogsConfig = PodLogsConfig()
    keep: Annotated[Literal["ut", "mtls"], "`ut`: lines with the flag UT; `mtls`: failed handshakes"] = "ut"
    count_failures: Annotated[bool, "count failed handshakes by reason, also those that `keep: ut` does not ship"] = (
        True
    )
    labels: Annotated[
        tuple[str, ...],
        "fields that become labels; with `keep: mtls` also `failure_reason` and `side`, with `peers.url` also "
        "`peer_namespace` and `peer_app`",
    ] = LABELS
    fields: Annotated[
        dict[str, str],
        "where a JSON format has other names: Istio's key to theirs, such as `response_flags: flags`; dots lead into "
        "nested objects, as in `tls.reason`",
    ] = {}
    structured_metadata: Annotated[tuple[str, ...], "fields sent as structured metadata; Loki must allow it"] = ()
    static_labels: Annotated[
        dict[str, str], "labels of every stream of this job; `namespace`, `pod`, `app` apply where the path gives none"
    ] = {}
    kubernetes: Annotated[
        bool, "ask the Kubernetes API for the pods of this node; the environment variable `NODE_NAME` names it"
    ] = False
    app_label: Annotated[tuple[str, ...], "pod labels that name the app; the first that is set counts"] = (
        "app",
        "app.kubernetes.io/name",
    )
    pod_labels: Annotated[
        dict[str, str], "pod labels that become stream labels, such as `version: app.kubernetes.io/version`"
    ] = {}
    pod_annotations: Annotated[dict[str, str], "the same for annotations; the first 2,048 bytes of a value"] = {}
    peers: PeersConfig = PeersConfig()

    def __post_init__(self) -> None:
        if self.labels == LABELS:
            of_failures = MTLS_LABELS if self.keep == "mtls" else ()
            of_peers = PEER_LABELS if self.peers.url else ()
            force_setattr(self, "labels", LABELS + of_failures + of_peers)
        checks.filled("job_name", self.job_name)
        checks.refuse("job_name", checks.label_value_problem(self.job_name))
        checks.fields("labels", self.labels, FIELDS)
        checks.field_mapping("fields", self.fields, {*ACCESS_LOG_KEYS, *KEYS})
        checks.fields("structured_metadata", self.structured_metadata, FIELDS)
        if not self.peers.url:
            for key in ("labels", "structured_metadata"):
                checks.each(key, getattr(self, key), checks.needing("peers.url", PEER_FIELDS))
        for index, name in enumerate(self.structured_metadata):
            if name in self.labels:
                raise ConfigError(f"{name} is a label already", f"structured_metadata[{index}]")
        checks.fixed_labels("static_labels", self.static_labels)
        checks.each("app_label", self.app_label, checks.pod_label_problem)
        checks.pod_labels("pod_labels", self.pod_labels, FIELDS, asked=self.kubernetes)
        checks.pod_labels("pod_annotations", self.pod_annotations, FIELDS, asked=self.kubernetes)


class LimitsConfig(Section, frozen=True):
    """Upper bounds of what the agent uses."""

    max_in_flight_bytes: Annotated[
        Bytes, "memory for entries that Loki has not answered for; at least 1MiB", Alias("in_flight")
    ] = Bytes(16 * MIB)
    max_line_size: Annotated[
        Bytes, "longest line, its parts joined, 1KiB to 16MiB; longer ones are dropped and counted"
    ] = Bytes(1 * MIB)
    max_label_values: Annotated[int, Meta(ge=1), "distinct values per label; further ones become `__overflow__`"] = 200
    max_streams: Annotated[int, Meta(ge=1), "live streams; beyond them label values become `__overflow__`"] = 500
    open_files: Annotated[
        int, Meta(ge=1), "open log files; beyond them idle ones are closed, and opened again when needed"
    ] = 200
    max_deleted_bytes: Annotated[
        Bytes, "disk that deleted files may take that wait for Loki; beyond it the oldest are given up; at least 1MiB"
    ] = Bytes(1 * GIB)
    max_deleted_percent: Annotated[
        int, Meta(ge=1, le=100), "the same as a share of their volume; the smaller of both counts"
    ] = 5

    def __post_init__(self) -> None:
        checks.size("max_deleted_bytes", self.max_deleted_bytes, 1 * MIB)
        checks.size("max_in_flight_bytes", self.max_in_flight_bytes, 1 * MIB)
        checks.size("max_line_size", self.max_line_size, 1 * KIB, 16 * MIB)
        if self.max_line_size > self.max_in_flight_bytes:
            raise ConfigError("expected at most max_in_flight_bytes, which must hold one line", "max_line_size")


class DirectoryConfig(Section, frozen=True):
    """`shipper directory`: who had which address when. The agent has no use for it."""

    history: Annotated[Seconds, "for how long the former holders of an address are known"] = Seconds(24 * 3600)
    max_ended: Annotated[int, Meta(ge=1), "former holders that are kept, 0.4 KiB each; beyond it the oldest go"] = (
        200_000
    )
    settle: Annotated[
        Seconds, "how late a change may reach the API, and how far clocks may differ; an answer waits so long"
    ] = Seconds(1)
    margin: Annotated[Seconds, "so long before an address was given up nobody is named; at least `settle`"] = Seconds(3)
    wait: Annotated[Seconds, "how long a question is held at most until its time has settled"] = Seconds(1.8)
    cluster_ranges: Annotated[
        tuple[str, ...],
        "networks of pods, Services and nodes, of both families; an address outside is `external`; empty: nothing is",
    ] = ()
    app_label: Annotated[tuple[str, ...], "pod labels that name the app; the first that is set counts"] = (
        "app",
        "app.kubernetes.io/name",
    )
    max_questions: Annotated[int, Meta(ge=1, le=10_000), "in one request"] = 1000
    bearer_token_file: Annotated[str, "who asks must send this token; read again when it changes; empty: anyone"] = ""
    cert_file: Annotated[str, "PEM, for TLS; read again when it changes; empty: plain HTTP"] = ""
    key_file: Annotated[str, "PEM; with `cert_file`"] = ""

    def __post_init__(self) -> None:
        checks.positive("history", self.history)
        checks.positive("settle", self.settle)
        checks.not_negative("wait", self.wait)
        if not self.margin >= self.settle:
            raise ConfigError(f"expected at least settle ({self.settle:g}s)", "margin")
        checks.each("cluster_ranges", self.cluster_ranges, checks.network_problem)
        checks.each("app_label", self.app_label, checks.pod_label_problem)
        checks.pair("cert_file", self.cert_file, "key_file", self.key_file)


class Config(Section, frozen=True):
    """The whole file."""

    server: ServerConfig = ServerConfig()
    positions: PositionsConfig = PositionsConfig()
    clients: Annotated[tuple[ClientConfig, ...], Meta(max_length=1)] = ()
    scrape_configs: Annotated[tuple[ScrapeConfig, ...], Meta(min_length=1, max_length=1)] = (ScrapeConfig(),)
    limits_config: LimitsConfig = LimitsConfig()
    directory: DirectoryConfig = DirectoryConfig()

    def __post_init__(self) -> None:
        scrape = self.scrape_configs[0]
        named = {
            f"scrape_configs[0].{key}": getattr(scrape, key)
            for key in ("pod_labels", "pod_annotations", "static_labels")
        }
        for index, client in enumerate(self.clients):
            named[f"clients[{index}].external_labels"] = client.external_labels
        # A target whose path does not give its namespace takes that of static_labels.
        promoted = [name for name in scrape.labels if name not in scrape.static_labels or name not in TARGET_FIELDS]
        checks.label_set(tuple(promoted), named)
        for index, client in enumerate(self.clients):
            if client.quarantine_file and client.quarantine_file == self.positions.filename:
                raise ConfigError("is the positions file", f"clients[{index}].quarantine_file")
