"""`shipper explain`: what it says of real lines, of hostile ones, and of what is no access log."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shipper import cli
from shipper.explain.ambient import COMMANDS
from shipper.explain.docs import reference
from shipper.explain.render import Style, as_json, as_text, safe
from shipper.explain.report import Report, explain
from shipper.explain.texts import TEXTS
from shipper.pipeline.failure import REASONS
from shipper.reading.flags import FLAGS
from shipper.reading.lines import NoAccessLog, Readable, Unreadable, read
from shipper.reading.origin import Origin

HERE = Path(__file__).parent
CORPUS = [json.loads(line) for line in (HERE / "corpus" / "envoy.jsonl").read_text("utf-8").splitlines()]
TWINS = [json.loads(line) for line in (HERE / "corpus" / "istio_text.jsonl").read_text("utf-8").splitlines()]
DOCUMENT = HERE.parent / "docs" / "failure-reasons.md"
KEYS = [
    *("file", "line", "format", "keep", "verdict", "failure_reason", "side", "summary", "time", "who", "to", "peer"),
    *("proxy", "trust", "certificate", "evidence", "flags", "meaning", "causes", "next", "missing", "limits"),
]
VERIFY = "TLS_error:|1:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED"
PLAIN = Style(80, color=False)
EXPIRED = f"{VERIFY}:verify_cert_failed:_X509:_certificate_has_expired:TLS_error_end"


def raw(scenario: str, fields: str = "full", **other: object) -> bytes:
    """The corpus line of a scenario."""
    wanted = {"scenario": scenario, "fields": fields, **other}
    [first, *_] = [one for one in CORPUS if all(one[key] == value for key, value in wanted.items())]
    content: str = first["line"]
    return content.encode()


def report(record: dict[str, Any] | bytes) -> Report:
    content = record if isinstance(record, bytes) else json.dumps(record).encode()
    [found] = read([content])
    assert isinstance(found, Readable)
    return explain(found)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = cli.main(["explain", *arguments])
    return code, capsys.readouterr().out


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Standard input to write to and rewind."""
    content = io.BytesIO()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
    return content


# -- what it decides


def test_every_line_of_the_corpus_is_decided_as_the_agent_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "0.log"
    file.write_bytes(b"".join(one["line"].encode() + b"\n" for one in CORPUS))
    code, out = run(capsys, "--file", str(file), "--output", "json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(one["keep"], one["failure_reason"], one["side"]) for one in answers] == [
        (one["keep"], one["failure_reason"], one["side"]) for one in CORPUS
    ]
    assert [one["line"] for one in answers] == list(range(1, len(CORPUS) + 1))
    assert all(list(one) == KEYS for one in answers)


@pytest.mark.parametrize("twin", [one for one in TWINS if one["readable"]], ids=lambda one: one["what"])
def test_a_text_line_is_explained_as_its_json_twin(twin: dict[str, Any]) -> None:
    text, twin_ = json.loads(as_json(report(twin["line"].encode()))), json.loads(as_json(report(twin["json"].encode())))
    assert (text.pop("format"), twin_.pop("format")) == ("text", "json")
    assert text == twin_


@pytest.mark.parametrize("one", [one for one in CORPUS if not one["keep"] and one["fields"] == "original"])
def test_a_line_that_lacks_the_cause_is_never_called_healthy(one: dict[str, Any]) -> None:
    found = report(one["line"].encode())
    assert found.verdict in ("cannot_tell", "other_failure")
    if found.verdict == "cannot_tell":
        assert "downstream_transport_failure_reason" in [missing.field for missing in found.missing]


# -- what it says


def an_example(reason: str) -> bytes:
    for one in CORPUS:
        if one["failure_reason"] == reason:
            return str(one["line"]).encode()
    raise AssertionError(f"no line of the corpus is {reason}")


@pytest.mark.parametrize("reason", REASONS)
def test_the_text_of_a_reason_has_all_its_parts(reason: str) -> None:
    found = report(an_example(reason))
    said, text = as_text(found, PLAIN), TEXTS[reason]
    flat = " ".join(said.split())
    assert said.startswith(f"line 1: {reason}\n")
    assert text.meaning in flat
    assert all(f"- {cause}" in flat for cause in text.causes)
    assert found.next
    assert all(command in flat.replace(" \\ ", " ") for command in found.next)
    assert f"{found.side}: " in said
    for value in (found.time, found.who.san, found.who.address, found.to.san, found.to.sni, *found.evidence.values()):
        assert value is None or safe(value) in said


@pytest.mark.parametrize("reason", REASONS)
def test_a_text_is_two_sentences_a_few_causes_and_a_command(reason: str) -> None:
    text = TEXTS[reason]
    assert text.meaning.endswith(".")
    assert text.meaning.count(". ") == 1
    assert 2 <= len(text.causes) <= 4
    assert 1 <= len(text.next) <= 3


def test_the_document_is_what_the_texts_say() -> None:
    assert list(TEXTS) == list(REASONS)
    assert DOCUMENT.read_text() == reference(), "run: python -m shipper.explain.docs > docs/failure-reasons.md"


def test_a_certificate_is_judged_by_the_time_it_was_shown() -> None:
    certificate = report(raw("in_http_tls13_expired_client_cert")).certificate
    assert certificate is not None
    assert (certificate.state, certificate.end) == ("expired", "2020-02-01T00:00:00.000Z")
    assert "2487 days before" in certificate.in_words


@pytest.mark.parametrize(
    ("start", "end", "time", "state", "words"),
    [
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T01:00:40Z", "expired", "40 seconds before"),
        ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2025-12-31T23:00:00Z", "not_yet_valid", "1 hour after"),
        ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2026-06-01T00:00:00Z", "valid", "CAs above it"),
        ("2026-01-01T00:00:00Z", None, "2026-06-01T00:00:00Z", None, "not known"),
        ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", None, None, "does not say when"),
        ("yesterday", "tomorrow", "2026-06-01T00:00:00Z", None, "not known"),
        ("2026-01-01T00:00:00", "2026-02-01", "2026-06-01T02:00:00+02:00", "expired", "120 days before"),
    ],
)
def test_dates(start: str | None, end: str | None, time: str | None, state: str | None, words: str) -> None:
    found = report(
        {
            "downstream_peer_cert_v_start": start,
            "downstream_peer_cert_v_end": end,
            "start_time": time,
            "downstream_transport_failure_reason": EXPIRED,
        }
    ).certificate
    assert found is not None
    assert found.state == state
    assert words in found.in_words


def test_commands_hold_what_the_line_tells() -> None:
    found = report(
        {
            "downstream_transport_failure_reason": EXPIRED,
            "downstream_remote_address": "10.244.2.9:41512",
            "downstream_peer_uri_san": "spiffe://cluster.local/ns/shop/sa/checkout",
            "downstream_local_uri_san": "spiffe://cluster.local/ns/money/sa/payment",
        }
    )
    assert "status.podIP=10.244.2.9" in found.next[0]
    assert "istioctl proxy-config secret <peer-pod> -n shop" in found.next


CLUSTER = "outbound|443|v1|bank.money.svc.cluster.local"


@pytest.mark.parametrize("printed", [CLUSTER, f"{CLUSTER};"], ids=["UPSTREAM_CLUSTER_RAW", "UPSTREAM_CLUSTER"])
def test_commands_for_an_upstream_name_its_service(printed: str) -> None:
    found = report(
        {
            "response_flags": "UF",
            "upstream_transport_failure_reason": f"{VERIFY}:SAN_matcher:TLS_error_end",
            "upstream_cluster": printed,
            "upstream_host": "[fd00::7]:443",
        }
    )
    assert found.side == "upstream"
    assert found.to.cluster == CLUSTER
    assert "status.podIP=fd00::7" in found.next[0]
    assert any("--fqdn bank.money.svc.cluster.local" in command for command in found.next)
    assert any("-n money" in command for command in found.next)


def test_a_cluster_that_is_missing_is_asked_for_by_the_operator_that_names_it() -> None:
    found = report({"response_flags": "UF", "upstream_transport_failure_reason": EXPIRED})
    [missing] = [one for one in found.missing if one.field == "upstream_cluster"]
    assert missing.operator == "%UPSTREAM_CLUSTER_RAW%"


def test_a_loopback_leads_to_no_pod() -> None:
    record = {"downstream_transport_failure_reason": EXPIRED, "downstream_remote_address": "127.0.0.6:41512"}
    assert report(record).next == TEXTS["cert_expired"].next


@pytest.mark.parametrize("name", ["$(reboot)", "a;b", "a b", "`x`", "a\nb", "A", "-x", "a'", "a|b", ""])
def test_a_peer_gets_nothing_into_a_command(name: str) -> None:
    found = report(
        {
            "downstream_transport_failure_reason": EXPIRED,
            "downstream_remote_address": f"{name}:1",
            "downstream_peer_uri_san": f"spiffe://cluster.local/ns/{name}/sa/x",
            "downstream_local_uri_san": f"spiffe://cluster.local/ns/{name}/sa/x",
        }
    )
    assert found.next == TEXTS["cert_expired"].next


@pytest.mark.parametrize(
    ("record", "verdict", "words"),
    [
        ({"response_flags": "-", "response_code": 200}, "no_failure", "answered with 200"),
        ({"response_flags": "DC,XY"}, "other_failure", "DC = the client closed"),
        ({"response_flags": "XY"}, "other_failure", "not a flag of Envoy"),
        ({"response_flags": "UC", "response_code": 503}, "other_failure", "closed the connection before"),
        ({"response_flags": "UF"}, "cannot_tell", "does not say"),
        ({"response_flags": "UF", "upstream_transport_failure_reason": None}, "other_failure", "UF = "),
        (
            {"response_flags": "UF", "upstream_transport_failure_reason": "delayed_connect_error:_Connection_refused"},
            "other_failure",
            "TLS towards it never began",
        ),
        (
            {"response_flags": "-", "connection_termination_details": "rbac_access_denied_matched_policy[none]"},
            "other_failure",
            "AuthorizationPolicy",
        ),
        (
            {"downstream_transport_failure_reason": "TLS_error|error:1000009c:x:HTTP_REQUEST:TLS_error_end"},
            "no_failure",
            "TLS inspector",
        ),
        (
            {
                "bytes_received": 7,
                "bytes_sent": "9",
                "downstream_transport_failure_reason": "TLS_error:|1:system_library:x:reset:TLS_error_end",
            },
            "no_failure",
            "after it had carried data",
        ),
        ({"response_flags": "-", "bytes_received": 7, "bytes_sent": 9}, "no_failure", "handshake was fine"),
        (
            {"response_flags": "-", "bytes_received": 7, "upstream_host": "10.0.0.9:1"},
            "cannot_tell",
            "nothing had come",
        ),
        ({"response_flags": "-", "bytes_sent": 0}, "cannot_tell", "look the same"),
    ],
)
def test_a_line_that_is_no_failed_handshake_says_what_it_is(record: dict[str, Any], verdict: str, words: str) -> None:
    found = report(record)
    assert (found.keep, found.failure_reason, found.side, found.verdict) == (False, None, None, verdict)
    assert words in found.meaning
    assert words in " ".join(as_text(found, PLAIN).split())


def test_a_refusal_that_the_client_cannot_see_is_not_called_healthy() -> None:
    found = report(raw("out_tcp_sidecar_tcp_myexpired", level="tcp_proxy", keep=False))
    assert found.verdict == "cannot_tell"
    assert "other side's listener" in found.limits[0]


def test_ut_is_explained_as_what_it_is() -> None:
    found = report({"response_flags": "UT", "response_code": 504})
    assert (found.keep, found.failure_reason, found.verdict) == (True, "upstream_timeout", "upstream_timeout")
    assert found.meaning.startswith("No handshake failed")


def test_fields_that_the_format_lacks_are_named_and_empty_ones_are_not() -> None:
    bare = report({"downstream_transport_failure_reason": EXPIRED})
    full = report(raw("in_http_tls13_expired_client_cert"))
    assert {"downstream_peer_uri_san", "downstream_peer_cert_v_end", "start_time"} <= {
        one.field for one in bare.missing
    }
    assert "%DOWNSTREAM_PEER_URI_SAN%" in as_text(bare, PLAIN)
    assert full.missing == ()


def test_plaintext_misses_no_certificate() -> None:
    found = report({"response_flags": "NR", "response_code_details": "filter_chain_not_found"})
    assert [one.field for one in found.missing] == ["downstream_remote_address", "requested_server_name"]
    assert "no certificate had come" in found.limits[0]


# -- how it reads


def test_partial_lines_are_joined_though_others_come_between() -> None:
    lines = [
        b'2026-11-23T14:30:22.1Z stdout P {"response_flags":\n',
        b'2026-11-23T14:30:22.2Z stderr F {"response_flags":"NR"}\n',
        b"\n",
        b'2026-11-23T14:30:22.3Z stdout F "UT"}\r\n',
        b'2026-11-23T14:30:22.4Z stdout P {"response_',
    ]
    other, joined, open_ = read(lines)
    assert other == Readable(2, "json", {"response_flags": "NR"}, origin=Origin(time="2026-11-23T14:30:22.2Z"))
    assert joined == Readable(1, "json", {"response_flags": "UT"}, origin=Origin(time="2026-11-23T14:30:22.1Z"))
    assert open_ == Unreadable(5, "the rest of this partial line is missing")


def test_text_with_a_prefix_is_read() -> None:
    [found] = read([b"2026-11-23T14:30:22.1Z stdout F " + TWINS[0]["line"].encode()])
    assert isinstance(found, Readable)
    assert found.format == "text"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b'{"response_flags"', "broken JSON"),
        (b'{"response_flags":"\\ud800"}', "broken JSON"),
        (b'[2026-11-23T14:30:22Z] "GET / HTTP/1.1" 200', "default format"),
        (b'payment istio-proxy [2026-11-23T14:30:22Z] "GET / HTTP/1.1" 200', "default format"),
    ],
)
def test_an_access_log_that_cannot_be_read_says_why(line: bytes, error: str) -> None:
    [found] = read([line])
    assert isinstance(found, Unreadable)
    assert error in found.error


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"2026-11-23T14:30:22Z\tinfo\tReadiness succeeded", "neither"),
        (b'{"msg":"started","level":"info"}', "no access log"),
        (b'{"a":' * 5000, "broken JSON"),
        (b"[1]", "neither"),
        (b"\x00\xff\xfe", "neither"),
        (b"{", "broken JSON"),
    ],
)
def test_another_line_is_no_error(line: bytes, error: str) -> None:
    [found] = read([line])
    assert isinstance(found, NoAccessLog)
    assert error in found.error


# -- the command


def test_an_argument_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, '{"response_flags":"UT"}')
    assert code == 0
    assert out.startswith("line 1: upstream_timeout\n")


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_without_a_line_it_reads_standard_input(
    arguments: tuple[str, ...], stdin: io.BytesIO, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin.write(b'{"response_flags":"UT"}\nrubbish\n{"response_flags":"NR","response_code":0}\n')
    stdin.seek(0)
    code, out = run(capsys, *arguments, "-o", "json")
    first, second, third = map(json.loads, out.splitlines())
    assert code == 0
    assert (first["failure_reason"], third["failure_reason"], third["line"]) == ("upstream_timeout", "plaintext", 3)
    assert second == {"line": 2, "error": "neither JSON nor Istio's text access log", "file": None}


def test_an_unreadable_line_is_said_in_text_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "rubbish")
    assert (code, out) == (1, "line 1: no access log: neither JSON nor Istio's text access log\n")


@pytest.mark.parametrize(
    "arguments", [("--file", "/does/not/exist"), ("{}", "--file", "x"), ("--output", "xml"), ("a", "b")]
)
def test_a_wrong_command_line_is_one_clear_line(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = cli.main(["explain", *arguments])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith("shipper")
    assert said.err.count("\n") == 1


def test_nothing_heavy_is_imported() -> None:
    heavy = "aiohttp asyncio prometheus_client stringzilla snappy google.protobuf inotify_simple ssl"
    program = (
        "import sys; from shipper import cli; code = cli.main(['explain', '{\"response_flags\":\"UT\"}'])\n"
        f"sys.exit(code or ' '.join(name for name in {heavy.split()!r} if name in sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.stderr.strip() == ""
    assert ended.stdout.startswith("line 1: upstream_timeout")


# -- on a terminal

HOSTILE = "spiffe://x/\x1b]0;owned\x07\u202e\x9b31m\n\u2028\x7fé"


@pytest.mark.parametrize("color", [False, True])
def test_a_hostile_name_obeys_no_terminal(color: bool) -> None:
    found = report(
        {
            "downstream_transport_failure_reason": EXPIRED,
            "downstream_peer_uri_san": HOSTILE,
            "downstream_peer_subject": HOSTILE,
            "requested_server_name": HOSTILE,
            "start_time": HOSTILE,
            "downstream_remote_address": HOSTILE,
            "response_flags": HOSTILE,
            "downstream_peer_cert_v_end": HOSTILE,
        }
    )
    said = as_text(found, Style(400, color))
    for paint in ("\x1b[31;1m", "\x1b[2m", "\x1b[0m") if color else ():
        assert paint in said
        said = said.replace(paint, "")
    assert all(line.isprintable() for line in said.split("\n"))
    assert r"spiffe://x/\x1b]0;owned\x07\u202e\x9b31m\n\u2028\x7fé" in said


def test_json_is_ascii_and_gives_names_as_they_are() -> None:
    said = as_json(report({"response_flags": "UT", "downstream_peer_uri_san": HOSTILE}))
    assert said.isascii()
    assert json.loads(said)["who"]["san"] == HOSTILE


@pytest.mark.parametrize(
    ("tty", "environment", "colored"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colors_are_for_a_terminal_that_wants_them(
    tty: bool,
    environment: dict[str, str],
    colored: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty)
    _, out = run(capsys, '{"response_flags":"UT"}')
    assert ("\x1b[" in out) == colored


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "0.log"
    file.write_bytes(b'{"response_flags":"UT"}\n' * 2000)
    command = [sys.executable, "-m", "shipper", "explain", "--file", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (0, b"")


def test_every_flag_has_its_words() -> None:
    assert all(meaning and not meaning.endswith(".") for meaning in FLAGS.values())
    assert {flag for one in CORPUS for flag in json.loads(one["line"])["response_flags"].split(",")} - {"-"} <= set(
        FLAGS
    )


# -- lines as people paste them

PUBLIC = [json.loads(line) for line in (HERE / "corpus" / "public.jsonl").read_text("utf-8").splitlines()]
ZTUNNEL = [json.loads(line) for line in (HERE / "corpus" / "ztunnel.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize(
    "case", [one for one in PUBLIC if one["counted"] in ("all", "keep_side")], ids=lambda one: one["id"]
)
def test_public_lines_are_answered_as_a_knowledgeable_reader_would(case: dict[str, Any]) -> None:
    (line,) = read([case["line"].encode()])
    assert isinstance(line, Readable)
    found, wanted = explain(line), case["wanted"]
    assert (found.keep, found.side) == (wanted["keep"], wanted["side"])
    if case["counted"] == "all":
        assert found.failure_reason == wanted["failure_reason"]


@pytest.mark.parametrize("prefix", [b"", b"2026-11-29T20:34:17.241771123Z stdout F ", b"ztunnel-x2k4q istio-proxy "])
def test_lines_of_a_ztunnel(prefix: bytes) -> None:
    for case in ZTUNNEL:
        (line,) = read([prefix + case["line"].encode()])
        reason = explain(line).failure_reason if isinstance(line, Readable) else None
        assert reason == case["wanted"]["failure_reason"], case["line"]


PLAIN_LINE = (
    '[2025-05-10T16:42:25.024Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - a:1 b:2 - -'
)


@pytest.mark.parametrize(
    "wrapped",
    [
        f"payment-5c6d7f8b9-x8w2p istio-proxy {PLAIN_LINE}",
        f"[pod/payment-5c6d7f8b9-x8w2p/istio-proxy] {PLAIN_LINE}",
        f"\x1b[36mpayment\x1b[0m \x1b[33mistio-proxy\x1b[0m {PLAIN_LINE}\x1b[0m",
        f"│ {PLAIN_LINE}    │",
        json.dumps({"log": PLAIN_LINE + "\n", "stream": "stdout", "time": "2025-05-10T16:42:25.1Z"}),
        json.dumps({"insertId": "a", "textPayload": PLAIN_LINE, "severity": "INFO"}),
        json.dumps({"_source": {"message": PLAIN_LINE, "kubernetes": {"labels": {"app": "x"}}}}),
        json.dumps({"log": json.dumps({"response_flags": "NR", "response_code": 0})}),
        json.dumps({"log": json.loads(f'{{"a": "payment | {json.dumps(PLAIN_LINE)[1:-1]}"}}')["a"]}),
    ],
)
def test_what_stands_around_a_line_is_cut_away(wrapped: str) -> None:
    (line,) = read([wrapped.encode()])
    assert isinstance(line, Readable)
    assert explain(line).failure_reason == "plaintext"


def test_a_gateway_is_known_by_its_pods_name() -> None:
    (line,) = read([f"istio-ingressgateway-7cc46d9596-v8qnt istio-proxy {PLAIN_LINE}".encode()])
    assert isinstance(line, Readable)
    assert explain(line).failure_reason == "no_filter_chain"


def test_a_line_that_can_be_read_in_two_ways_is_not_guessed_from_its_parts() -> None:
    forged = PLAIN_LINE.replace('"-" "-" - - a', '"x" 503 UF - - "TLS error: a" 0 0 0 - "y" "-" - - a')
    (line,) = read([forged.encode()])
    assert isinstance(line, Unreadable)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"response_flags": "NR"}, "no route"),
        ({"response_flags": "UF", "response_code": 503, "upstream_transport_failure_reason": None,
          "response_code_details": "upstream_reset_before_response_started{connection_timeout}"}, "not ready in time"),
    ],
)  # fmt: skip
def test_what_may_hide_a_failure_is_not_called_healthy(record: dict[str, object], words: str) -> None:
    found = report(record)
    assert found.verdict == "cannot_tell"
    assert words in found.meaning


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TLS_error:|1:SSL_routines:OPENSSL_internal:HANDSHAKE_FAILURE_ON_CLIENT_HELLO:TLS_error_end", "SNI"),
        ("TLS_error:_Secret_is_not_supplied_by_SDS", "CA bundle"),
    ],
)
def test_words_that_are_more_certain_than_the_line(text: str, words: str) -> None:
    found = report({"response_flags": "UF", "upstream_transport_failure_reason": text})
    assert any(words in limit for limit in found.limits)


def test_plaintext_without_the_inspectors_note_names_what_else_it_can_be() -> None:
    found = report({"response_flags": "NR", "response_code": 0})
    assert any("TLS without an SNI" in limit for limit in found.limits)
    noted = {"downstream_transport_failure_reason": "TLS_error|error:1:SSL_routines:OPENSSL_internal:HTTP_REQUEST:"}
    assert not any("SNI" in limit for limit in report({"response_flags": "NR", "response_code": 0, **noted}).limits)


# -- ztunnel: who is verified, and what to run


def ambient(scenario: str, side: str = "downstream") -> Report:
    """The report of the corpus' first line of a scenario that is kept, on this side."""
    found = [one for one in ZTUNNEL if one["scenario"].startswith(scenario) and one["wanted"]["side"] == side]
    return report(found[0]["line"].encode())


def test_a_refused_client_of_a_ztunnel_is_looked_for_by_its_address() -> None:
    found = ambient("in-expired")
    assert (found.who.address, found.who.claimed, found.trust) == ("10.99.0.66:54684", None, ())
    assert found.next[:2] == tuple(
        f"kubectl get pods --all-namespaces --output wide --field-selector status.podIP={ip}"
        for ip in ("10.99.0.66", "10.99.0.3")
    )
    assert "istioctl ztunnel-config certificate --node" in found.next[2]
    assert "status.podIP=10.99.0.66" in found.next[2]
    assert not [command for command in found.next if "proxy-config" in command]  # which asks an Envoy
    assert any("ztunnel logs nothing" in limit for limit in found.limits)
    assert found.missing == ()


def test_names_that_a_client_can_make_up_are_called_a_claim() -> None:
    found = ambient("CRL on a live connection, inbound")
    assert (found.who.san, found.who.workload, found.who.claimed) == (
        "spiffe://cluster.local/ns/shop/sa/a",
        None,
        "shop/a-1",
    )
    assert found.to.workload == "pay/b-1"
    verified, claim = found.trust
    assert "verified" in verified
    assert "spiffe://cluster.local/ns/shop/sa/a" in verified
    assert "claim" in claim
    assert "shop/a-1" in claim
    assert not [command for command in found.next if "shop" in command]
    assert "workload shop/a-1, a claim" in as_text(found, PLAIN)


def test_a_name_shown_in_a_refused_certificate_is_a_claim() -> None:
    found = ambient("in-other-trust-domain")
    assert found.who.san == "spiffe://partner.example/ns/shop/sa/frontend"
    assert "The client's names are its own claim: nobody has verified them." in found.limits


def test_what_goes_out_of_a_ztunnel_names_both_workloads() -> None:
    found = ambient("own-cert-untrusted-outbound", "upstream")
    assert (found.who.workload, found.who.claimed) == ("shop/foreign-1", None)
    assert found.to.workload == "pay/payment-service-5c6d7f8b9-x8w2p"
    assert "kubectl get configmap istio-ca-root-cert -n shop --output yaml" in found.next


@pytest.mark.parametrize(
    ("error", "command"),
    [
        ("explicitly denied by: istio-system/istio_converted_static_strict", "peerauthentications --all-namespaces"),
        ("explicitly denied by: pay/converted_peer_authentication_strict", "peerauthentication strict -n pay "),
        ("explicitly denied by: pay/only-shop", "authorizationpolicy only-shop -n pay "),
        ("allow policies exist, but none allowed", "authorizationpolicies --all-namespaces"),
        ("explicitly denied by: pay/$(reboot)", "authorizationpolicies --all-namespaces"),
    ],
)
@pytest.mark.parametrize("identity", ["", "spiffe://cluster.local/ns/shop/sa/a"])
def test_the_policy_that_denied_is_named(error: str, command: str, identity: str) -> None:
    fields = {"src.addr": "10.0.0.2:1", "dst.addr": "10.0.0.3:8080", "dst.workload": "b-1", "direction": "inbound"}
    fields |= {"src.identity": identity} if identity else {}
    line = {"level": "error", "time": "t", "scope": "access", "message": "connection complete", **fields}
    found = report(line | {"error": f"connection closed due to policy rejection: {error}"})
    assert any(command in one for one in found.next)
    assert not any("$(reboot)" in one for one in found.next)


def test_every_reason_that_a_ztunnel_gives_has_commands_of_its_own() -> None:
    said = {case["wanted"]["failure_reason"] for case in ZTUNNEL} - {None}
    assert COMMANDS.keys() == said
    for case in ZTUNNEL:
        (line,) = read([case["line"].encode()])
        if isinstance(line, Readable) and (found := explain(line)).keep:
            assert found.next
            assert "src.addr" not in line.record or "<ip>" not in " ".join(found.next)


def test_a_line_of_an_old_ztunnel_says_that_it_has_no_address() -> None:
    found = ambient("Istio 1.24: eof")
    assert found.evidence
    assert any("before Istio 1.26" in limit for limit in found.limits)
    assert found.missing == ()


def test_a_waypoints_tunnel_is_looked_for_at_the_ztunnel_behind_it() -> None:
    tunnel = {"upstream_cluster": "connect_originate", "upstream_host": "10.99.0.22:15008", "response_flags": "UF,URX"}
    found = report(tunnel | {"upstream_transport_failure_reason": EXPIRED})
    assert (found.failure_reason, found.side) == ("cert_expired", "upstream")
    assert any("ztunnel-config certificate" in one and "status.podIP=10.99.0.22" in one for one in found.next)
    assert any("names no client" in limit for limit in found.limits)
    refused = {"downstream_local_address": "10.99.0.40:15008", "downstream_remote_address": "10.99.0.8:50000"}
    found = report(refused | {"response_flags": "-", "downstream_transport_failure_reason": VERIFY})
    assert any("status.podIP=10.99.0.8" in one for one in found.next)
    assert "istioctl proxy-config secret <pod> -n <namespace>" in found.next  # the waypoint's own, an Envoy's
