"""Clients, and that no secret of theirs is shown."""

import pytest

from shipper.promtail.notes import Kind
from tests.promtail.imported import imported

SECRET = "hunter2"


def client(inner: str) -> str:
    return f"clients:\n  - url: http://loki/loki/api/v1/push\n    {inner}\nscrape_configs: [{{job_name: a}}]\n"


@pytest.mark.parametrize(
    "inner",
    [
        f"basic_auth: {{username: alice, password: {SECRET}}}",
        f"bearer_token: {SECRET}",
        f"authorization: {{credentials: {SECRET}}}",
        f"tls_config: {{key: {SECRET}}}",
        f"oauth2: {{client_secret: {SECRET}}}",
        f"proxy_url: http://a:{SECRET}@proxy",
    ],
)
def test_a_secret_in_the_file_is_neither_carried_over_nor_shown(inner: str) -> None:
    found = imported(client(inner))
    assert SECRET not in found.text
    assert SECRET not in str(found.said)
    assert [line for _, line, _, _ in found.said if line == 3]


@pytest.mark.parametrize("url", [f"http://alice:{SECRET}@loki/push", f"http://alice:{SECRET}@[loki/push"])
def test_a_secret_in_the_url_is_not_shown(url: str) -> None:
    found = imported(f"clients: [{{url: '{url}', tenant_id: red}}]\n")
    assert SECRET not in found.text
    assert SECRET not in str(found.said)
    assert 1 in [line for kind, line, _, _ in found.said if kind is Kind.WARNING]


def test_what_to_write_instead_stands_as_a_comment() -> None:
    text = imported(client(f"basic_auth: {{username: alice, password: {SECRET}}}")).text
    assert "    #   username: alice\n    #   password_file: /etc/shipper/loki-password\n" in text


def test_secrets_in_files_are_carried_over() -> None:
    found = imported(client("basic_auth: {username: '${USER}', password_file: /run/password}"))
    assert found.config.clients[0].basic_auth.password_file == "/run/password"
    found = imported(client("authorization: {type: Bearer, credentials_file: /run/token}"))
    assert found.config.clients[0].bearer_token_file == "/run/token"
    found = imported(client("authorization: {type: Digest, credentials_file: /run/token}"))
    assert found.lines("only Bearer has a counterpart", Kind.LOST) == [3]


def test_what_ours_refuses_is_left_out_and_said() -> None:
    found = imported(
        client("tenant_id: a/b\n    batchsize: 100MB\n    timeout: 0s\n    headers: {X-Scope-OrgID: b, X-A: c}")
    )
    assert found.config.clients[0].headers == {"X-A": "c"}
    assert found.lines("left out, because clients[0].tenant_id would be refused here: expected letters") == [3]
    assert found.lines("left out, because clients[0].batchsize would be refused here: expected 1KiB to 3MiB") == [4]
    assert found.lines("left out, because clients[0].timeout would be refused here: expected more than 0s") == [5]
    assert found.lines("X-Scope-OrgID would be refused here: is set from tenant_id") == [6]


@pytest.mark.parametrize(
    ("inner", "kind"),
    [
        ("drop_rate_limited_batches: true", Kind.CHANGED),
        ("follow_redirects: true", Kind.CHANGED),
        ("proxy_url: http://proxy:3128", Kind.CHANGED),
        ("no_proxy: loki", Kind.CHANGED),
        ("proxy_connect_header: {X-A: [b]}", Kind.LOST),
        ("batchwait: soon", Kind.LOST),
        ("batchsize: many", Kind.LOST),
        ("tls_config: {ca: PEM}", Kind.LOST),
        ("tls_config: {cert_file: /c}", Kind.LOST),
        ("colour: red", Kind.LOST),
        ("tls_config: yes", Kind.WARNING),
        ("tenant_id: '${TENANT}'", Kind.CHANGED),
        ("tenant_id: '${TENANT:?unset}'", Kind.WARNING),
    ],
)
def test_what_is_not_the_same_is_told(inner: str, kind: Kind) -> None:
    assert (kind, 3) in [(of, line) for of, line, _, _ in imported(client(inner)).said]


@pytest.mark.parametrize(
    "inner",
    ["name: a", "drop_rate_limited_batches: false", "proxy_url: ''", "proxy_from_environment: true", "batchwait: 2s"],
)
def test_what_is_the_same_is_not(inner: str) -> None:
    assert 3 not in [line for _, line, _, _ in imported(client(inner)).said]


def test_without_a_client_nothing_is_shipped() -> None:
    found = imported("clients: []\n")
    assert found.config.clients == ()
    assert found.lines("no client", Kind.WARNING) == [1]


def test_the_first_client_that_can_be_used() -> None:
    found = imported("client: {timeout: 5s}\nclients: [{url: http://a/}, {url: '${LOKI}'}]\n")
    assert found.config.clients[0].url == "http://a/"
    assert found.lines("only one Loki is pushed to", Kind.LOST) == [1, 2]


def test_a_url_that_a_variable_tells() -> None:
    assert 'url: "http://${HOST}:${PORT}/push"\n' in imported("clients: [{url: 'http://${HOST}:${PORT}/push'}]").text
