"""Server, positions, limits, and what only Promtail has."""

import pytest

from shipper.config import LookBack
from shipper.promtail.notes import Kind
from tests.promtail.imported import imported


def test_an_empty_file_becomes_a_configuration() -> None:
    config = imported("").config
    assert (config.server.http_listen_address, config.positions.look_back) == ("0.0.0.0", LookBack(3600))


def test_the_server() -> None:
    found = imported("server: {http_listen_address: 127.0.0.1, log_level: warn, log_format: logfmt}\n")
    server = found.config.server
    assert (server.http_listen_address, server.log_level, server.log_format) == ("127.0.0.1", "warn", "text")
    assert found.lines("http_listen_port is 9080", Kind.CHANGED) == [1]


def test_a_port_that_a_variable_tells_may_be_a_number() -> None:
    assert imported("server: {http_listen_port: '${PORT}'}\n").config.server.http_listen_port == 7


@pytest.mark.parametrize(
    ("promtail", "ours"),
    [
        ("/run/promtail/positions.yaml", "/run/promtail/positions.json"),
        ("/run/positions.json", "/run/shipper-positions.json"),
        ("/run/positions", "/run/shipper-positions"),
        ("''", "./positions.json"),
        ("/", "./positions.json"),
        ("..", "./positions.json"),
    ],
)
def test_the_positions_are_another_file_in_the_same_directory(promtail: str, ours: str) -> None:
    assert imported(f"positions: {{filename: {promtail}}}\n").config.positions.filename == ours


def test_the_switch_over_is_told() -> None:
    found = imported("positions:\n  sync_period: 10s\n")
    assert found.lines("Promtail's positions are not taken over", Kind.CHANGED) == [1]
    assert found.lines("saved half a second after Loki's answer", Kind.CHANGED) == [2]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("wal: {enabled: true}", Kind.CHANGED),
        ("tracing: {enabled: true}", Kind.LOST),
        ("target_config: {sync_period: 10s}", Kind.CHANGED),
        ("global: {file_watch_config: {min_poll_frequency: 1s}}", Kind.CHANGED),
        ("limits_config: {max_streams: 100}", Kind.CHANGED),
        ("limits_config: {readline_rate_enabled: true}", Kind.LOST),
        ("limits_config: {max_line_size_truncate: true}", Kind.CHANGED),
        ("server: {grpc_listen_port: 9095}", Kind.LOST),
        ("server: {http_listen_port: high}", Kind.LOST),
        ("server: {log_level: loud}", Kind.LOST),
        ("sever: {}", Kind.LOST),
        ("server: []", Kind.WARNING),
        ("clients: {}", Kind.WARNING),
    ],
)
def test_what_is_not_the_same_is_told(text: str, kind: Kind) -> None:
    assert (kind, 2) in [(of, line) for of, line, _, _ in imported(f"# comment\n{text}\n").said]


@pytest.mark.parametrize("text", ["wal: {enabled: false}", "tracing: {}", "limits_config: {max_streams: 0}"])
def test_what_is_switched_off_is_not(text: str) -> None:
    section = text.partition(":")[0]
    assert [key for _, _, key, _ in imported(f"# comment\n{text}\n").said if key.startswith(section)] == []
