"""A file is read whole or refused in one line that says where."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shipper.config import ALL, MIB, MTLS_LABELS, ClientConfig, Config, ConfigError, LookBack, Seconds
from shipper.config.file import FLAGS, load, missing_files, parse
from shipper.config.types import type_at

# A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WHOLE_FILE = """\
server:
  http_listen_address: 127.0.0.1
  http_listen_port: 9080
  log_level: info
  log_format: text

positions:
  filename: ./positions.json
  look_back: all

clients:
  - url: http://localhost:3100/loki/api/v1/push
    tenant_id: ""
    batchwait: 1s
    batchsize: 1MiB
    timeout: 10s
    backoff_config: { min_period: 500ms, max_period: 10s }
    max_in_flight_requests: 8
    basic_auth: { username: "", password_file: "" }
    bearer_token_file: ""
    tls_config: { ca_file: "", cert_file: "", key_file: "", server_name: "", insecure_skip_verify: false }
    headers: {}
    external_labels: {}
    on_reject: quarantine
    quarantine_file: ""

scrape_configs:
  - job_name: kubernetes-pods-istio-proxy
    pod_logs:
      root: /var/log/pods
      containers: [istio-proxy]
      exclude_namespaces: []
    keep: ut
    labels: [namespace, app, pod, response_flags, termination_details, source_san]
    structured_metadata: []
    static_labels: {}
    kubernetes: false
    app_label: [app, app.kubernetes.io/name]
    pod_labels: {}
    pod_annotations: {}
    peers:
      url: ""
      timeout: 2s
      timeouts: false
      bearer_token_file: ""
      tls_config: { ca_file: "", cert_file: "", key_file: "", server_name: "", insecure_skip_verify: false }

limits_config:
  max_in_flight_bytes: 16MiB
  max_line_size: 1MiB
  max_label_values: 200
  max_streams: 500
  open_files: 200
"""
CLIENT = "clients:\n- url: http://loki/push\n  "
SCRAPE = "scrape_configs:\n- "


def refusal(text: str | bytes, environ: dict[str, str] | None = None, **flags: str) -> str:
    with pytest.raises(ConfigError) as error:
        read(text, environ, **flags)
    return str(error.value)


def read(text: str | bytes, environ: dict[str, str] | None = None, **flags: str) -> Config:
    given = {name: flags.get(name.strip("-").replace("-", "_").replace(".", "_")) for name in FLAGS}
    return parse(text.encode() if isinstance(text, str) else text, "agent.yaml", environ or {}, given)


def test_the_whole_file_says_the_defaults() -> None:
    client = ClientConfig(url="http://localhost:3100/loki/api/v1/push")
    assert read(WHOLE_FILE) == Config(clients=(client,))


@pytest.mark.parametrize(
    "text",
    ["", "\n", "# nothing\n", "---\n", "~", "\ufeff", "\ufeff{}", "{}", "server:\nclients:\nlimits_config: # later\n"],
)
def test_a_file_that_says_nothing_means_the_defaults(text: str) -> None:
    assert read(text) == Config()


def test_every_kind_of_value_is_read() -> None:
    config = read(
        "server: {http_listen_port: 0, log_level: 'warn'}\n"
        "positions: {look_back: 1h30m}\n"
        "clients:\n- url: https://loki/push\n  batchwait: 0.5\n  batchsize: 65536\n"
        '  tls_config: {insecure_skip_verify: yes}\n  headers: {X-A: "1"}\n'
        "scrape_configs:\n- keep: mtls\n  structured_metadata: [source_ip]\n"
        "limits_config: {max_in_flight_bytes: 1GiB}\n"
    )
    client, scrape = config.clients[0], config.scrape_configs[0]
    assert (config.server.http_listen_port, config.server.log_level) == (0, "warn")
    assert config.positions.look_back == LookBack(5400)
    assert (client.batchwait, client.batchsize, client.headers) == (0.5, 65536, {"X-A": "1"})
    assert client.tls_config.insecure_skip_verify is True
    assert scrape.labels[-2:] == MTLS_LABELS
    assert scrape.structured_metadata == ("source_ip",)
    assert config.limits_config.max_in_flight_bytes == 1024 * MIB


@pytest.mark.parametrize("bytes_key", ["max_in_flight_bytes", "in_flight"])
@pytest.mark.parametrize("requests_key", ["max_in_flight_requests", "max_in_flight"])
def test_the_older_names_mean_the_same(bytes_key: str, requests_key: str) -> None:
    config = read(f"{CLIENT}{requests_key}: 3\nlimits_config: {{{bytes_key}: 2MiB}}\n")
    assert config.limits_config.max_in_flight_bytes == 2 * MIB
    assert config.clients[0].max_in_flight_requests == 3


PORT = "expected an integer from 0 to 65535, got"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "unknown key": (
        f"# one\n{CLIENT}batchwiat: 1s\n",
        "4: clients[0].batchwiat: unknown key, did you mean batchwait?",
    ),
    "unknown key at the top": ("client: []\n", "1: client: unknown key, did you mean clients?"),
    "unknown key, nothing near": ("server:\n  zzz: 1\n", "2: server.zzz: unknown key"),
    "nearly an older name": (
        "limits_config:\n  in_fligt: 2MiB\n",
        "2: limits_config.in_fligt: unknown key, did you mean in_flight?",
    ),
    "an older name and the newer": (
        "limits_config:\n  in_flight: 2MiB\n  max_in_flight_bytes: 2MiB\n",
        "2: limits_config.in_flight: is the older name of max_in_flight_bytes, which is given too",
    ),
    "an older name with a wrong value": (
        f"{CLIENT}batchwait: 1s\n  max_in_flight: 100\n",
        "4: clients[0].max_in_flight_requests: expected an integer from 1 to 64, got 100",
    ),
    "unknown key of two lines": ('? "a\\nb"\n: 1\n', r"1: 'a\nb': unknown key"),
    "port out of range": ("server:\n\n  http_listen_port: 70000\n", f"3: server.http_listen_port: {PORT} 70000"),
    "port in quotes": ("server: {http_listen_port: '80'}", f"1: server.http_listen_port: {PORT} '80'"),
    "port and nothing": ("server:\n  http_listen_port:\n", f"2: server.http_listen_port: {PORT} nothing"),
    "port as a list": ("server: {http_listen_port: [1]}", f"1: server.http_listen_port: {PORT} a list of 1"),
    "port as a mapping": ("server: {http_listen_port: {}}", f"1: server.http_listen_port: {PORT} a mapping"),
    "port as a float": ("server: {http_listen_port: 1.5}", f"1: server.http_listen_port: {PORT} 1.5"),
    "port as a bool": ("server: {http_listen_port: on}", f"1: server.http_listen_port: {PORT} true"),
    "port as a time": ("server: {http_listen_port: 12:30}", f"1: server.http_listen_port: {PORT} '12:30'"),
    "port in octal": ("server: {http_listen_port: 010}", f"1: server.http_listen_port: {PORT} '010'"),
    "huge port": (f"server: {{http_listen_port: {'9' * 50}}}", f"1: server.http_listen_port: {PORT} 1e+50"),
    "too few": (
        "limits_config: {open_files: 0}",
        "1: limits_config.open_files: expected an integer of at least 1, got 0",
    ),
    "no choice": ("server: {log_format: xml}", "1: server.log_format: expected json or text, got 'xml'"),
    "no bool": (
        f"{CLIENT}tls_config: {{insecure_skip_verify: 1}}",
        "3: clients[0].tls_config.insecure_skip_verify: expected true or false, got 1",
    ),
    "number for text": (
        f"{CLIENT}tenant_id: 17",
        "3: clients[0].tenant_id: expected text, got 17; put it in quotes",
    ),
    "number for a label": (
        f"{CLIENT}external_labels:\n    cluster: a\n    zone: 1\n",
        "5: clients[0].external_labels.zone: expected text, got 1; put it in quotes",
    ),
    "labels as a list": (
        f"{SCRAPE}static_labels: [a]",
        "2: scrape_configs[0].static_labels: expected a mapping of text to text, got a list of 1",
    ),
    "text for a list": (
        f"{SCRAPE}labels: app",
        "2: scrape_configs[0].labels: expected a list of text, got 'app'",
    ),
    "number in a list": (
        f"{SCRAPE}labels:\n  - app\n  - 5",
        "4: scrape_configs[0].labels[1]: expected text, got 5; put it in quotes",
    ),
    "text for a section": ("server: fast", "1: server: expected a mapping, got 'fast'"),
    "empty client": ("clients:\n- \n", "2: clients[0]: expected a mapping, got nothing"),
    "client without a URL": ("\nclients:\n- timeout: 1s\n", "3: clients[0].url: required, and missing"),
    "client as a mapping": (
        "clients: {url: http://loki}",
        "1: clients: expected a list of at most one mapping, got a mapping",
    ),
    "two clients": (
        "clients: [{url: http://a}, {url: http://b}]",
        "1: clients: expected a list of at most one mapping, got a list of 2",
    ),
    "no job": (
        "scrape_configs: []",
        "1: scrape_configs: expected a list of exactly one mapping, got a list of 0",
    ),
    "no duration": (
        f"{CLIENT}timeout: soon",
        "3: clients[0].timeout: expected a duration such as 250ms, 30s or 1m30s, got 'soon'",
    ),
    "negative duration": (
        f"{CLIENT}timeout: -1s",
        "3: clients[0].timeout: expected a duration such as 250ms, 30s or 1m30s, got '-1s'",
    ),
    "no look back": (
        "positions: {look_back: 2026-01-01}",
        "1: positions.look_back: expected all, or a duration such as 1h, got '2026-01-01'",
    ),
    "decimal size": (
        f"{CLIENT}batchsize: 1MB",
        "3: clients[0].batchsize: expected a size such as 256KiB or 1MiB, got '1MB'; write whole MiB",
    ),
    "size out of range": (
        f"{CLIENT}batchsize: 1GiB",
        "3: clients[0].batchsize: expected 1KiB to 3MiB, got 1GiB",
    ),
    "wrong in a section of a section": (
        f"{CLIENT}backoff_config:\n    min_period: 20s\n",
        "3: clients[0].backoff_config.max_period: expected at least min_period (20s)",
    ),
    "wrong field in a list over lines": (
        f"{SCRAPE}labels:\n  - app\n  - podd\n",
        "4: scrape_configs[0].labels[1]: unknown field 'podd', did you mean pod?",
    ),
    "wrong header": (
        f"{CLIENT}headers:\n    X-A: b\n    X-Scope-OrgID: c\n",
        "5: clients[0].headers.X-Scope-OrgID: is set from tenant_id",
    ),
    "wrong header with dots": (
        f'{CLIENT}headers:\n    "a - at `$.b[0]": c\n',
        "4: clients[0].headers.a - at `$.b[0]: expected a header name without spaces, colons and control characters",
    ),
    "wrong label of two lines": (
        f'{CLIENT}external_labels: {{"a\\nb": c}}\n',
        r"3: 'clients[0].external_labels.a\nb': expected a label name of letters, digits and underscores, "
        "not beginning with a digit",
    ),
    "label set twice": (
        f"{CLIENT}external_labels:\n    pod: c\n",
        "4: clients[0].external_labels.pod: is set by labels already",
    ),
    "key given twice": (
        "server:\n  log_level: info\n\n  log_level: warn\n",
        "4: server.log_level: given twice, first on line 2",
    ),
    "variable not set": (
        f"{CLIENT}tenant_id: a-${{TENANT}}",
        "3: clients[0].tenant_id: the environment variable TENANT is not set",
    ),
    "broken variable": (
        f"{CLIENT}tenant_id: ${{TENANT",
        "3: clients[0].tenant_id: expected ${NAME} or ${NAME:-default}; a literal $ is written $$",
    ),
    "a list at the top": ("- server", "1: expected a mapping, got a list of 1"),
    "text at the top": ("\nhello", "2: expected a mapping, got 'hello'"),
    "two documents": ("server:\n---\nserver:\n", "2: not YAML: but found another document"),
    "not YAML": ("server:\n  a: b: c\n", "2: not YAML: mapping values are not allowed here"),
    "never closed": ("server: {\n", "2: not YAML: expected the node content, but found '<stream end>'"),
    "tab": (
        "server:\n\tlog_level: info\n",
        r"2: not YAML: found character '\t' that cannot start any token",
    ),
    "no such anchor": ("server: *x\n", "1: not YAML: found undefined alias 'x'"),
    "tag": ("server: !!python/object/apply:os.abort []\n", "1: tags are not used here"),
    "tag on a value": ("server:\n  log_level: !!str info\n", "2: tags are not used here"),
    "key that is a list": ("server:\n  ? [a]\n  : b\n", "2: server: a key must be text"),
    "binary": (b"\x7fELF\x02\x01\x01\x00", "1: not YAML: a control character"),
    "not UTF-8": (b"server:\n  log_level: \xff\n", "2: not UTF-8 text"),
    "UTF-16": ("server:".encode("utf-16"), "1: not UTF-8 text"),
    "control character": ("server:\n  log_level: \x07\n", "2: not YAML: a control character"),
    "code point out of range": (
        'server:\n  log_level: "\\UFFFFFFFF"\n',
        "2: not YAML: a number out of range",
    ),
    "half a character": (
        'server:\n  log_level: "\\ud800"\n',
        "2: server.log_level: holds a character that is not text",
    ),
    "half a character in a key": (
        f'{CLIENT}headers: {{"\\ud800": a}}\n',
        "3: clients[0].headers: a key must be text",
    ),
    "NUL in a path": (
        'positions:\n  filename: "a\\0b"\n',
        "2: positions.filename: holds a character that is not text",
    ),
    "anchor within itself": (
        "server: &a\n  x: [*a]\n",
        "1: server.x[0].x: too many values, or nested too deeply",
    ),
    "nested without end": ("[" * 1000, "1: too many values, or nested too deeply"),
    "values without end": ("[" + "1," * 20_000 + "]", "1: too many values, or nested too deeply"),
}


@pytest.mark.parametrize("trouble", REFUSED)
def test_a_wrong_file_is_refused_with_its_place(trouble: str) -> None:
    text, message = REFUSED[trouble]
    assert refusal(text) == f"agent.yaml:{message}"


def test_a_billion_laughs_end_early() -> None:
    laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
        f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 10)
    )
    assert refusal(laughs).endswith(": too many values, or nested too deeply")


def test_an_anchor_is_used_twice() -> None:
    config = read(f"{CLIENT}tls_config: {{cert_file: &pem both.pem, key_file: *pem}}\n")
    assert config.clients[0].tls_config.key_file == "both.pem"


def test_variables_stand_in_values_and_take_the_type_of_what_they_hold() -> None:
    text = (
        "# ${NOWHERE}\nserver:\n  http_listen_port: ${PORT}\n"
        "clients:\n- url: http://${LOKI:-loki}/push\n  tenant_id: ${TENANT:-}\n  timeout: ${TIMEOUT}\n"
    )
    config = read(text, {"PORT": "81", "TIMEOUT": "3s"})
    assert config.server.http_listen_port == 81
    assert (config.clients[0].url, config.clients[0].timeout) == ("http://loki/push", Seconds(3))
    assert config.clients[0].tenant_id == ""


def test_a_variable_in_quotes_stays_text() -> None:
    assert read(CLIENT + 'tenant_id: "${TENANT}"\n', {"TENANT": "17"}).clients[0].tenant_id == "17"
    message = refusal('server: {http_listen_port: "${PORT}"}', {"PORT": "81"})
    assert message == f"agent.yaml:1: server.http_listen_port: {PORT} '81'"


def test_a_variable_brings_a_value_and_no_structure() -> None:
    config = read(f"{CLIENT}external_labels: {{a: $X}}\n  tenant_id: x", {})
    assert config.clients[0].external_labels == {"a": "$X"}
    text = f"{CLIENT}external_labels:\n    a: ${{X}}\n"
    assert read(text, {"X": "b: [c]\nd: &e"}).clients[0].external_labels == {"a": "b: [c]\nd: &e"}


def test_flags_win_over_the_file() -> None:
    config = read(
        WHOLE_FILE,
        log_dir="123",
        client_url="https://other/push",
        positions_file="p",
        server_http_listen_address="::1",
        server_http_listen_port="0",
        keep="mtls",
    )
    scrape = config.scrape_configs[0]
    assert (scrape.pod_logs.root, scrape.keep, config.clients[0].url) == ("123", "mtls", "https://other/push")
    assert (config.positions.filename, config.server.http_listen_address) == ("p", "::1")
    assert config.server.http_listen_port == 0


@pytest.mark.parametrize("text", ["", "clients:\n", "clients: []\n", "clients:\n-\n", "clients: [{}]\n"])
def test_a_flag_alone_makes_a_client(text: str) -> None:
    assert read(text, client_url="http://loki/push").clients == (ClientConfig(url="http://loki/push"),)


def test_a_flag_keeps_what_the_file_says_beside_it() -> None:
    assert read("clients: [{timeout: 3s}]", client_url="http://loki/push").clients[0].timeout == Seconds(3)


def test_a_wrong_flag_is_named() -> None:
    expected = "--client.url: expected an http:// or https:// URL with a host, got 'loki'"
    assert refusal(WHOLE_FILE, client_url="loki") == expected
    assert refusal("", client_url="loki") == expected
    assert refusal("", server_http_listen_port="x") == f"--server.http-listen-port: {PORT} 'x'"
    assert refusal("", server_http_listen_port="") == f"--server.http-listen-port: {PORT} nothing"
    assert refusal("", keep="all") == "--keep: expected mtls or ut, got 'all'"
    assert refusal("", positions_file="") == "--positions.file: must not be empty"


@pytest.mark.parametrize("text", ["clients: 5", "clients: {}", "clients: [5]", "clients: {a: 1}"])
def test_a_flag_hides_no_error_of_the_file(text: str) -> None:
    assert refusal(text, client_url="http://loki").startswith("agent.yaml:1: clients")


def test_every_flag_sets_something_that_exists() -> None:
    assert all(type_at(path) for path in FLAGS.values())


def test_without_a_file_there_are_defaults_and_flags() -> None:
    assert load(None, {}) == Config()
    assert load(None, {}, {"--keep": "mtls", "--log-dir": None}).scrape_configs[0].keep == "mtls"
    with pytest.raises(ConfigError, match=r"^--keep: expected"):
        load(None, {}, {"--keep": "x"})


def test_a_file_is_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_text("positions: {look_back: all}\nserver: {log_level: debug}\n")
    config = load(path, {})
    assert (config.server.log_level, config.positions.look_back) == ("debug", ALL)
    path.write_text("server: 1")
    with pytest.raises(ConfigError) as error:
        load(path, {})
    assert str(error.value) == f"{path}:1: server: expected a mapping, got 1"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as error:
            load(path, {})
        assert str(error.value) == f"{path}: {reason}"
    with pytest.raises(ConfigError, match=r"^'a\\x00b': "):
        load(Path("a\0b"), {})


def test_a_file_beyond_all_reason_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "agent.yaml"
    path.write_bytes(b"#" * MIB)
    assert load(path, {}) == Config()
    path.write_bytes(b"#" * (MIB + 1))
    with pytest.raises(ConfigError, match=r": larger than 1048576 bytes, this is no configuration file$"):
        load(path, {})


def test_files_that_are_missing_are_listed(tmp_path: Path) -> None:
    for name in ("ca.pem", "client.pem"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe")
    text = (
        f"{CLIENT}basic_auth: {{username: u, password_file: {tmp_path}/pw}}\n"
        f"  tls_config: {{ca_file: {tmp_path}/ca.pem, cert_file: {tmp_path}, key_file: {tmp_path}/pipe}}\n"
    )
    assert missing_files(read(text)) == [
        f"clients[0].basic_auth.password_file: cannot read {tmp_path}/pw: No such file or directory",
        f"clients[0].tls_config.cert_file: cannot read {tmp_path}: not a file",
        f"clients[0].tls_config.key_file: cannot read {tmp_path}/pipe: not a file",
    ]
    assert missing_files(read(f"{CLIENT}bearer_token_file: {tmp_path}/ca.pem")) == []
    peers = f"{{bearer_token_file: {tmp_path}/token, tls_config: {{ca_file: {tmp_path}/ca.pem}}}}"
    assert missing_files(read(f"{SCRAPE}peers: {peers}")) == [
        f"scrape_configs[0].peers.bearer_token_file: cannot read {tmp_path}/token: No such file or directory"
    ]
    assert missing_files(Config()) == []


def config_or_one_line(text: bytes) -> None:
    outcome: object
    try:
        outcome = parse(text, "agent.yaml", {"A": "1", "B": "x: [", "C": "\udcff\n"})
    except ConfigError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert outcome.startswith("agent.yaml:")
        assert outcome.isprintable()  # no line break of any kind is
    else:
        assert isinstance(outcome, Config)


@patient
@given(st.binary(max_size=400))
@example(b"%YAML " + b"9" * 5000 + b".1\n---\na")
@example(b"%TAG ! %FF\n---\n!x a")
@example(b"a: ${C}")
@example(b"\xef\xbb\xbf\xef\xbb\xbfa: b")
@example(b"<<: {server: {}}")
@example(b"? |\n  a\n  b\n: c")
@example('"\u2028": 1'.encode())
def test_any_bytes_give_a_configuration_or_one_line(text: bytes) -> None:
    config_or_one_line(text)


@patient
@given(st.text(alphabet="ab:-[]{},'\"|>&*!%#?@`~$<\n\t \\01.é\u2028", max_size=60))
def test_any_signs_of_yaml_give_a_configuration_or_one_line(text: str) -> None:
    config_or_one_line(text.encode())


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["1s", "1MiB", "all", "app", "pod", "http://loki", "${A}", "${B}", "${C}", "${D}", "$$"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def section(*names: str) -> st.SearchStrategy[Any]:
    return st.dictionaries(st.sampled_from(names), VALUES, max_size=3) | VALUES


NEARLY_RIGHT = st.fixed_dictionaries(
    {},
    optional={
        "server": section("http_listen_port", "log_level", "http_listen_address"),
        "positions": section("filename", "look_back"),
        "clients": st.lists(
            section("url", "timeout", "batchsize", "headers", "external_labels", "tls_config", "basic_auth"),
            max_size=2,
        ),
        "scrape_configs": st.lists(section("labels", "keep", "static_labels", "pod_logs"), max_size=2),
        "limits_config": section("max_in_flight_bytes", "in_flight", "max_streams", "max_line_size"),
    },
)


@patient
@given(NEARLY_RIGHT)
def test_any_values_at_the_right_keys_give_a_configuration_or_one_line(values: dict[str, Any]) -> None:
    config_or_one_line(yaml.safe_dump(values, allow_unicode=True).encode(errors="replace"))
