"""Istio's text access log: what a real Envoy wrote, beside the JSON of the same request; and what clients forge."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.failure import Failure, classify
from shipper.pipeline.keep import KEEP_RULES, MTLS, UT, KeepRule
from shipper.pipeline.scan import Scanner
from shipper.pipeline.text_format import parse_text_line

TWINS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "corpus" / "istio_text.jsonl").read_text("utf-8").splitlines()
]
READABLE = [twin for twin in TWINS if twin["readable"]]
REASON = "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED"


def line(**changed: object) -> bytes:
    """A text line as Envoy would write it: nothing is escaped."""
    value = {
        "time": "2026-11-23T14:30:22.733Z",
        "request": "GET /a HTTP/1.1",
        "code": 503,
        "flags": "UF",
        "details": "-",
        "ended": "-",
        "reason": "-",
        "received": 0,
        "sent": 98,
        "duration": 1,
        "service": "-",
        "forwarded": "-",
        "agent": "curl/8",
        "id": "1-2",
        "authority": "shop",
        "host": "10.0.0.9:80",
        "cluster": "outbound|80||shop",
        "own": "-",
        "local": "10.0.0.8:80",
        "remote": "10.0.0.1:9",
        "sni": "-",
        "route": "default",
        **changed,
    }
    return (
        '[{time}] "{request}" {code} {flags} {details} {ended} "{reason}" {received} {sent} {duration} {service} '
        '"{forwarded}" "{agent}" "{id}" "{authority}" "{host}" {cluster} {own} {local} {remote} {sni} {route}'
    ).format_map(value).encode()  # fmt: skip


def parsed(**changed: object) -> dict[str, Any]:
    record = parse_text_line(line(**changed))
    assert record is not None
    return record


@pytest.mark.parametrize("twin", READABLE, ids=lambda twin: twin["what"])
def test_a_real_line_is_read_as_its_json_twin(twin: dict[str, Any]) -> None:
    assert parse_text_line(twin["line"].encode()) == json.loads(twin["json"])


@pytest.mark.parametrize(
    ("what", "failure"),
    [
        ("the upstream's certificate has expired", Failure("cert_expired", "upstream")),
        ("the upstream's certificate has expired; TCP", Failure("cert_expired", "upstream")),
        ("the upstream has another identity", Failure("cert_san_mismatch", "upstream")),
        ("the upstream refuses our certificate", Failure("peer_rejected_cert", "upstream")),
        ("plaintext in front of STRICT", Failure("plaintext", "downstream")),
        ("the application does not answer in time", Failure("upstream_timeout", "upstream")),
        ("no one listens upstream", None),
        ("no route", None),
        ("a healthy request", None),
    ],
)
def test_a_real_line_is_classified(what: str, failure: Failure | None) -> None:
    [twin] = [twin for twin in TWINS if twin["what"] == what]
    record = parse_text_line(twin["line"].encode())
    assert record is not None
    assert classify(record) == failure


def test_what_clients_forged_in_front_of_a_real_envoy_is_not_read() -> None:
    forged = [twin for twin in TWINS if not twin["readable"]]
    assert len(forged) == 2
    assert [parse_text_line(twin["line"].encode()) for twin in forged] == [None, None]


def test_termination_details_may_hold_blanks() -> None:
    record = parsed(ended="transport socket timeout was reached", flags="-", code=0)
    assert record["connection_termination_details"] == "transport socket timeout was reached"
    assert classify(record) == Failure("handshake_incomplete", "downstream")


def test_an_older_reason_with_blanks_is_read() -> None:
    reason = "TLS error: 268436501:SSL routines:OPENSSL_internal:SSLV3_ALERT_CERTIFICATE_EXPIRED"
    record = parsed(reason=reason, flags="UF,URX")
    assert record["upstream_transport_failure_reason"] == reason
    assert classify(record) == Failure("peer_rejected_cert", "upstream")


def test_a_san_with_quotes_stays_inside_the_reason() -> None:
    reason = f'{REASON}:verify_cert_failed:_SAN_matcher,_certificate_SANs_are_[spiffe://a/"b",""]:TLS_error_end'
    record = parsed(reason=reason)
    assert record["upstream_transport_failure_reason"] == reason
    assert classify(record) == Failure("cert_san_mismatch", "upstream")


def test_a_route_may_hold_blanks() -> None:
    assert parsed(route="my own route")["route_name"] == "my own route"


def test_a_user_agent_with_quotes_costs_only_what_runs_into_it() -> None:
    record = parsed(agent='a" "b', reason=f"{REASON}:TLS_error_end")
    assert not {"user_agent", "request_id", "x_forwarded_for"} & record.keys()
    assert record["upstream_host"] == "10.0.0.9:80"
    assert classify(record) == Failure("cert_verify_failed", "upstream")


@pytest.mark.parametrize("at", ["request", "forwarded", "agent", "id"])
def test_a_forged_outcome_makes_the_line_unreadable(at: str) -> None:
    forged = f'GET /x HTTP/1.1" 503 UF x - "{REASON}" 0 0 0 - "'
    assert parse_text_line(line(code=200, flags="-", **{at: f"{forged} HTTP/1.1"})) is None


@pytest.mark.parametrize("at", ["forwarded", "agent", "id"])
def test_a_forged_end_makes_the_line_unreadable(at: str) -> None:
    assert parse_text_line(line(**{at: '-" "bank" "10.0.0.66:1" outbound|80||bank - a b c d'})) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"2026-11-23T14:30:22Z info cache generated new workload certificate",
        b'[2026-11-23T14:30:22.733Z] "GET / HTTP/1.1" 200',
        b'[2026-11-23T14:30:22.733Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - - a',
        b"x" + line(),
        line(request="GET"),
        line(request="GET /a SPDY/3"),
        line(code="x"),
    ],
)
def test_other_text_is_not_taken_for_it(content: bytes) -> None:
    assert parse_text_line(content) is None


def test_bytes_that_are_no_text_do_not_stop_it() -> None:
    record = parse_text_line(line(agent="X").replace(b"X", b"\xff\xfe"))
    assert record is not None
    assert record["user_agent"] == "\ufffd\ufffd"


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    parse_text_line(content)
    parse_text_line(line().replace(b"curl/8", content))


HOSTILE = st.lists(
    st.sampled_from(['"', " ", "-", "0", "503", "UF", "TLS_error:", "HTTP/1.1", "a", '" "', '" 0 ', "NR", "UT"]),
    max_size=40,
).map("".join)


@given(agent=HOSTILE, path=HOSTILE, forwarded=HOSTILE, number=HOSTILE)
def test_no_client_changes_what_is_read_of_the_outcome(agent: str, path: str, forwarded: str, number: str) -> None:
    record = parse_text_line(
        line(request=f"GET /{path} HTTP/1.1", agent=agent, forwarded=forwarded, id=number, code=200, flags="DC")
    )
    if record is not None:
        assert (record["response_code"], record["response_flags"]) == (200, "DC")
        assert record["upstream_transport_failure_reason"] is None
        assert record["upstream_host"] == "10.0.0.9:80"


@pytest.mark.parametrize("rule", KEEP_RULES.values(), ids=lambda rule: rule.name)
@given(
    flags=st.lists(st.sampled_from(["UF", "URX", "NR", "UT", "DC", "UTX"]), min_size=1, max_size=3).map(",".join),
    reason=st.sampled_from(["-", REASON, REASON.replace("_", " "), "delayed_connect_error:_x"]),
    details=st.sampled_from(["-", "filter_chain_not_found", f"x{{y|{REASON}}}", "via_upstream"]),
    ended=st.sampled_from(["-", "transport socket timeout was reached", "idle timeout"]),
)
def test_every_line_a_rule_keeps_is_found_by_its_patterns(
    rule: KeepRule, flags: str, reason: str, details: str, ended: str
) -> None:
    content = line(flags=flags, reason=reason, details=details, ended=ended)
    record = parse_text_line(content)
    assert record is not None
    if rule.judge(record) is not None:
        assert Scanner(rule.patterns).matches(content)


def test_a_plain_line_is_not_found() -> None:
    content = line(flags="-", code=200, details="via_upstream")
    assert not any(Scanner(rule.patterns).matches(content) for rule in (UT, MTLS))


OLDER = {
    "Istio 1.1": '503 UF,URX "-" "TLS error: Secret" 0 91 67 - "-" "curl/7" "1-2" "shop" "10.0.0.9:80" '
    "outbound|80||shop - 10.0.0.8:80 10.0.0.1:9 -",
    "Istio 1.4": '503 UF,URX "OK" "TLS error: Secret" 0 91 67 - "-" "curl/7" "1-2" "shop" "10.0.0.9:80" '
    "outbound|80||shop - 10.0.0.8:80 10.0.0.1:9 - default",
    "Istio 1.8": '503 UF,URX "TLS error: Secret" 0 91 67 - "-" "curl/7" "1-2" "shop" "10.0.0.9:80" '
    "outbound|80||shop - 10.0.0.8:80 10.0.0.1:9 - default",
    "Envoy": '503 UF,URX 0 91 67 - "-" "curl/7" "1-2" "shop" "10.0.0.9:80"',
}


@pytest.mark.parametrize("version", OLDER)
def test_older_versions_write_fewer_fields(version: str) -> None:
    record = parse_text_line(f'[2020-03-07T16:07:28.632Z] "GET /a HTTP/1.1" {OLDER[version]}'.encode())
    assert record is not None
    assert (record["response_code"], record["response_flags"]) == (503, "UF,URX")
    assert (record["bytes_received"], record["bytes_sent"], record["duration"]) == (0, 91, 67)
    assert (record["user_agent"], record["authority"], record["upstream_host"]) == ("curl/7", "shop", "10.0.0.9:80")
    assert "response_code_details" not in record  # not None: this version says nothing of it
    assert record.get("upstream_transport_failure_reason") == (None if version == "Envoy" else "TLS error: Secret")
    assert record.get("downstream_remote_address") == (None if version == "Envoy" else "10.0.0.1:9")
    assert ("route_name" in record) == (version in ("Istio 1.4", "Istio 1.8"))


@pytest.mark.parametrize("version", OLDER)
def test_older_versions_are_not_guessed_either(version: str) -> None:
    forged = OLDER[version].replace("curl/7", 'x" 200 - "-" "-" 0 0 0 - "y')
    assert parse_text_line(f'[2020-03-07T16:07:28.632Z] "GET /a HTTP/1.1" {forged}'.encode()) is None
