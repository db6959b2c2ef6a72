"""Sections refuse values that make no sense, each in one line that begins with its key."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from shipper.config import (
    ALL,
    KIB,
    LABELS,
    MIB,
    MTLS_LABELS,
    PEER_LABELS,
    BackoffConfig,
    BasicAuth,
    Bytes,
    ClientConfig,
    Config,
    ConfigError,
    LimitsConfig,
    LookBack,
    PeersConfig,
    PodLogsConfig,
    PositionsConfig,
    ScrapeConfig,
    Seconds,
    ServerConfig,
    TlsConfig,
)
from shipper.config.file import parse
from shipper.fields import FIELDS

URL = "http://loki:3100/loki/api/v1/push"
DIRECTORY = "http://shipper-directory:9080"
NO_URL = "url: expected an http:// or https:// URL with a host, got "


def client(**options: Any) -> ClientConfig:
    return ClientConfig(**{"url": URL} | options)


def whole(client_options: dict[str, Any] | None = None, **scrape_options: Any) -> Config:
    return Config(
        clients=() if client_options is None else (client(**client_options),),
        scrape_configs=(ScrapeConfig(**scrape_options),),
    )


REFUSED: list[tuple[Callable[..., Struct], dict[str, Any], str]] = [
    (ServerConfig, {"http_listen_address": ""}, "http_listen_address: must not be empty"),
    (PositionsConfig, {"filename": " "}, "filename: must not be empty"),
    (PositionsConfig, {"look_back": LookBack(-1)}, "look_back: expected 0s or more, got -1s"),
    (BackoffConfig, {"min_period": Seconds(0)}, "min_period: expected more than 0s, got 0s"),
    (BackoffConfig, {"max_period": Seconds(0.1)}, "max_period: expected at least min_period (0.5s)"),
    (BasicAuth, {"username": "u"}, "password_file: needed with username"),
    (BasicAuth, {"password_file": "p"}, "username: needed with password_file"),
    (TlsConfig, {"cert_file": "c"}, "key_file: needed with cert_file"),
    (TlsConfig, {"key_file": "k"}, "cert_file: needed with key_file"),
    (client, {"url": ""}, NO_URL + "''"),
    (client, {"url": "loki:3100"}, NO_URL + "'loki:3100'"),
    (client, {"url": "ftp://loki/"}, NO_URL + "'ftp://loki/'"),
    (client, {"url": "http:///push"}, NO_URL + "'http:///push'"),
    (client, {"url": "http://loki:99999/"}, NO_URL + "'http://loki:99999/'"),
    (client, {"url": "http://[::1/"}, NO_URL + "'http://[::1/'"),
    (client, {"url": "http://lo ki/"}, NO_URL + "'http://lo ki/'"),
    (client, {"url": "http://loki/\r\nX: y"}, NO_URL + r"'http://loki/\r\nX: y'"),
    (client, {"url": "http://lo\x07ki/"}, NO_URL + r"'http://lo\x07ki/'"),
    (client, {"url": "http://loki/#push"}, "url: must not have a fragment, got 'http://loki/#push'"),
    (client, {"url": "http://u:s3cret@loki/"}, "url: must not hold a user name or password, use basic_auth"),
    (
        client,
        {"tenant_id": "a/b"},
        "tenant_id: expected letters, digits and !-_.*'() (at most 150), got 'a/b'",
    ),
    (client, {"batchwait": Seconds(-1)}, "batchwait: expected 0s or more, got -1s"),
    (client, {"batchsize": Bytes(1023)}, "batchsize: expected 1KiB to 3MiB, got 1023B"),
    (client, {"batchsize": Bytes(4 * MIB)}, "batchsize: expected 1KiB to 3MiB, got 4MiB"),
    (client, {"timeout": Seconds(0)}, "timeout: expected more than 0s, got 0s"),
    (
        client,
        {"basic_auth": BasicAuth(username="u", password_file="p"), "bearer_token_file": "t"},
        "bearer_token_file: excludes basic_auth, give one of them",
    ),
    (client, {"headers": {"X-Scope-OrgID": "a"}}, "headers.X-Scope-OrgID: is set from tenant_id"),
    (client, {"headers": {"content-type": "a"}}, "headers.content-type: is set by the agent"),
    (
        client,
        {"headers": {"X Y": "a"}},
        "headers.X Y: expected a header name without spaces, colons and control characters",
    ),
    (
        client,
        {"headers": {"X-Y": "s3cret\r\nHost: z"}},
        "headers.X-Y: a header's value must be one line without control characters",
    ),
    (
        client,
        {"headers": {"X-Y": "1", "x-y": "2"}},
        "headers.x-y: given twice, the case of letters means nothing",
    ),
    (
        client,
        {"headers": {"Authorization": "x"}, "bearer_token_file": "t"},
        "headers.Authorization: excludes basic_auth and bearer_token_file",
    ),
    (
        client,
        {"external_labels": {"a-b": "1"}},
        "external_labels.a-b: expected a label name of letters, digits and underscores, not beginning with a digit",
    ),
    (
        client,
        {"external_labels": {"a": "é" * 1025}},
        "external_labels.a: expected at most 2048 bytes, got 2050",
    ),
    (PeersConfig, {"url": "directory:9080"}, NO_URL + "'directory:9080'"),
    (PeersConfig, {"url": "http://[::1/"}, NO_URL + "'http://[::1/'"),
    (PeersConfig, {"url": "http://d/?key=s3cret"}, "url: must not have a query"),
    (
        PeersConfig,
        {"url": "http://u:s3cret@d/"},
        "url: must not hold a user name or password, use bearer_token_file",
    ),
    (
        PeersConfig,
        {"url": "http://d:9080/v1/who/"},
        "url: expected the directory's URL without /v1/who, which is added",
    ),
    (PeersConfig, {"url": DIRECTORY, "timeout": Seconds(0)}, "timeout: expected more than 0s, got 0s"),
    (PodLogsConfig, {"root": ""}, "root: must not be empty"),
    (PodLogsConfig, {"containers": ()}, "containers: expected at least one container"),
    (
        PodLogsConfig,
        {"containers": ("istio-proxy", "istio_proxy")},
        "containers[1]: expected a name of lower-case letters, digits and -, got 'istio_proxy'",
    ),
    (
        PodLogsConfig,
        {"exclude_namespaces": ("kube-*",)},
        "exclude_namespaces[0]: expected a name of lower-case letters, digits and -, got 'kube-*'",
    ),
    (ScrapeConfig, {"job_name": ""}, "job_name: must not be empty"),
    (
        ScrapeConfig,
        {"labels": ("app", "namspace")},
        "labels[1]: unknown field 'namspace', did you mean namespace?",
    ),
    (ScrapeConfig, {"labels": ("zzz",)}, "labels[0]: unknown field 'zzz'"),
    (ScrapeConfig, {"labels": ("job",)}, "labels[0]: job is always a label, set from job_name"),
    (
        ScrapeConfig,
        {"labels": ("service_name",)},
        "labels[0]: service_name is always a label, set from app",
    ),
    (ScrapeConfig, {"labels": ("app", "pod", "app")}, "labels[2]: app is given twice"),
    (
        ScrapeConfig,
        {"structured_metadata": ("node", "source")},
        "structured_metadata[1]: unknown field 'source', did you mean source_ip?",
    ),
    (
        ScrapeConfig,
        {"structured_metadata": ("node", "pod")},
        "structured_metadata[1]: pod is a label already",
    ),
    (
        ScrapeConfig,
        {"keep": "mtls", "structured_metadata": ("side",)},
        "structured_metadata[0]: side is a label already",
    ),
    (ScrapeConfig, {"labels": ("app", "peer_app")}, "labels[1]: peer_app needs peers.url"),
    (ScrapeConfig, {"structured_metadata": ("peer_kind",)}, "structured_metadata[0]: peer_kind needs peers.url"),
    (
        ScrapeConfig,
        {"peers": PeersConfig(url=DIRECTORY), "structured_metadata": ("peer_app",)},
        "structured_metadata[0]: peer_app is a label already",
    ),
    (ScrapeConfig, {"static_labels": {"job": "x"}}, "static_labels.job: is set from job_name"),
    (ScrapeConfig, {"static_labels": {"service_name": "x"}}, "static_labels.service_name: is set from app"),
    (ScrapeConfig, {"pod_labels": {"team": "team"}}, "pod_labels: needs kubernetes: true"),
    (ScrapeConfig, {"pod_annotations": {"team": "team"}}, "pod_annotations: needs kubernetes: true"),
    (
        ScrapeConfig,
        {"kubernetes": True, "pod_labels": {"team": "a b"}},
        "pod_labels.team: expected the name of a pod label, got 'a b'",
    ),
    (
        ScrapeConfig,
        {"kubernetes": True, "pod_annotations": {"container": "x"}},
        "pod_annotations.container: is a field of its own, see labels",
    ),
    (ScrapeConfig, {"kubernetes": True, "pod_labels": {"job": "x"}}, "pod_labels.job: is set from job_name"),
    (ScrapeConfig, {"app_label": ("a b",)}, "app_label[0]: expected the name of a pod label, got 'a b'"),
    (
        LimitsConfig,
        {"max_in_flight_bytes": Bytes(MIB - 1)},
        "max_in_flight_bytes: expected at least 1MiB, got 1048575B",
    ),
    (LimitsConfig, {"max_line_size": Bytes(0)}, "max_line_size: expected 1KiB to 16MiB, got 0B"),
    (
        LimitsConfig,
        {"max_in_flight_bytes": Bytes(2 * MIB), "max_line_size": Bytes(3 * MIB)},
        "max_line_size: expected at most max_in_flight_bytes, which must hold one line",
    ),
    (
        whole,
        {"kubernetes": True, "pod_labels": {"team": "a"}, "pod_annotations": {"team": "b"}},
        "scrape_configs[0].pod_annotations.team: is set by scrape_configs[0].pod_labels already",
    ),
    (
        whole,
        {"kubernetes": True, "pod_labels": {"team": "a"}, "static_labels": {"team": "b"}},
        "scrape_configs[0].static_labels.team: is set by scrape_configs[0].pod_labels already",
    ),
    (
        whole,
        {"static_labels": {"source_san": "x"}},
        "scrape_configs[0].static_labels.source_san: is set by labels already",
    ),
    (
        whole,
        {"client_options": {"external_labels": {"zone": "x"}}, "static_labels": {"zone": "y"}},
        "clients[0].external_labels.zone: is set by scrape_configs[0].static_labels already",
    ),
    (
        whole,
        {"static_labels": {f"l{number}": "x" for number in range(9)}},
        "scrape_configs[0].labels: with job and fixed labels these are 16 label names, Loki takes 15",
    ),
    (
        Config,
        {"clients": (client(quarantine_file="p.json"),), "positions": PositionsConfig(filename="p.json")},
        "clients[0].quarantine_file: is the positions file",
    ),
]


@pytest.mark.parametrize(("section", "options", "message"), REFUSED, ids=[row[2][:60] for row in REFUSED])
def test_what_makes_no_sense_is_refused(section: Callable[..., Struct], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        section(**options)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("section", "options"),
    [
        (PositionsConfig, {"look_back": LookBack(0)}),
        (PositionsConfig, {"look_back": ALL}),
        (BackoffConfig, {"min_period": Seconds(2), "max_period": Seconds(2)}),
        (client, {"url": "https://[::1]:3100/loki/api/v1/push?x=1"}),
        (client, {"batchwait": Seconds(0)}),
        (client, {"batchsize": Bytes(KIB)}),
        (client, {"batchsize": Bytes(3 * MIB)}),
        (client, {"tenant_id": "team-a_1.(x)!*'"}),
        (client, {"headers": {"X-Trace": "a b\tc", "Authorization": "Custom x"}}),
        (client, {"external_labels": {"_cluster9": "é" * 1024}}),
        (LimitsConfig, {"max_in_flight_bytes": Bytes(MIB), "max_line_size": Bytes(KIB)}),
        (LimitsConfig, {"max_in_flight_bytes": Bytes(16 * MIB), "max_line_size": Bytes(16 * MIB)}),
        (ScrapeConfig, {"labels": (), "structured_metadata": FIELDS, "peers": PeersConfig(url=DIRECTORY)}),
        (ScrapeConfig, {"labels": FIELDS[:3], "static_labels": {"peer_app": "x"}}),
        (PeersConfig, {"timeout": Seconds(0.001), "timeouts": True}),
        (PeersConfig, {"url": "https://gateway/directory/"}),
        (whole, {"static_labels": {f"l{number}": "x" for number in range(8)}}),
    ],
)
def test_what_stands_at_the_border_is_taken(section: Callable[..., Struct], options: dict[str, Any]) -> None:
    assert section(**options)


def test_mtls_adds_its_labels_to_the_defaults_and_to_nothing_else() -> None:
    assert ScrapeConfig().labels == LABELS
    assert ScrapeConfig(keep="mtls").labels == LABELS + MTLS_LABELS
    assert ScrapeConfig(keep="mtls", labels=("app",)).labels == ("app",)


def test_a_directory_adds_the_labels_of_peers_to_the_defaults_and_to_nothing_else() -> None:
    peers = PeersConfig(url=DIRECTORY)
    assert ScrapeConfig(peers=peers).labels == LABELS + PEER_LABELS
    assert ScrapeConfig(keep="mtls", peers=peers).labels == LABELS + MTLS_LABELS + PEER_LABELS
    assert ScrapeConfig(keep="mtls", peers=peers, labels=("app",)).labels == ("app",)


def test_a_replaced_value_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="timeout"):
        replace(client(), timeout=Seconds(0))


def test_nothing_can_be_changed_after() -> None:
    with pytest.raises(AttributeError):
        Config().server.http_listen_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("{response_flag: flags}", "unknown key of the access log, did you mean response_flags"),
        ("{response_flags: ''}", "expected a key, or keys with dots between"),
        ("{response_flags: a..b}", "expected a key, or keys with dots between"),
    ],
)
def test_a_field_mapping_leads_from_a_known_key_to_somewhere(fields: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        parse(f"scrape_configs: [{{fields: {fields}}}]".encode(), "a.yaml", {})
    assert "a.yaml:1: scrape_configs[0].fields.response_flag" in str(error.value)
