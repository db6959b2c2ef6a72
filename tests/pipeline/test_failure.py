"""Why a handshake failed: what real Envoys wrote, what a peer may make them write, and the patterns' promise."""

import json
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.pipeline.failure import DOWNSTREAM, REASONS, UPSTREAM, Failure, classify
from shipper.pipeline.keep import MTLS
from shipper.pipeline.scan import Scanner

CORPUS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "corpus" / "envoy.jsonl").read_text("utf-8").splitlines()
]
KEYS = (
    "response_flags",
    "response_code_details",
    "requested_server_name",
    "connection_termination_details",
    "downstream_transport_failure_reason",
    "upstream_transport_failure_reason",
    "downstream_peer_cert_v_start",
    "downstream_peer_cert_v_end",
    "start_time",
    "bytes_received",
    "bytes_sent",
)
VERIFY = "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED"
NO_TEXT = f"{VERIFY}:TLS_error_end"
INSPECTOR = "TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"
NOW = "2026-11-23T06:35:39.044Z"


def verify(text: str) -> str:
    return f"{VERIFY}:verify_cert_failed:_{text}:TLS_error_end"


def x509(text: str) -> str:
    return verify(f"X509_verify_cert:_certificate_verification_error_at_depth_0:_{text}")


def library(word: str) -> str:
    return f"TLS_error:|268435999:SSL_routines:OPENSSL_internal:{word}:TLS_error_end"


TEXTS = [
    ("TLS_error:_Secret_is_not_supplied_by_SDS", "local_cert_missing"),
    (verify("SAN_matcher"), "cert_san_mismatch"),
    (verify("SAN_matcher,_certificate_SANs_are_[spiffe://other.domain/x]"), "cert_san_mismatch"),
    (verify("no_trust_bundle_store"), "cert_san_mismatch"),
    (x509("certificate_revoked"), "cert_invalid"),
    (x509("certificate_revocation_check_against_provided_CRLs_failed"), "cert_invalid"),
    (x509("unable_to_get_certificate_CRL"), "cert_invalid"),
    (x509("unable_to_get_CRL_issuer_certificate"), "cert_invalid"),
    (x509("unsupported_certificate_purpose"), "cert_invalid"),
    (x509("certificate_has_expired"), "cert_expired"),
    (x509("certificate_is_not_yet_valid"), "cert_not_yet_valid"),
    (x509("unable_to_get_local_issuer_certificate"), "cert_untrusted"),
    (x509("self_signed_certificate"), "cert_untrusted"),
    (x509("self_signed_certificate_in_certificate_chain"), "cert_untrusted"),
    (x509("unable_to_verify_the_first_certificate"), "cert_untrusted"),
    (x509("certificate_not_trusted"), "cert_untrusted"),
    (x509("certificate_signature_failure"), "cert_untrusted"),
    (NO_TEXT, "cert_verify_failed"),
    (
        "TLS_error:|33554536:system_library:OPENSSL_internal:Connection_reset_by_peer:TLS_error_end",
        "handshake_incomplete",
    ),
    (library("PEER_DID_NOT_RETURN_A_CERTIFICATE"), "no_client_cert"),
    (library("UNSUPPORTED_PROTOCOL"), "tls_version_mismatch"),
    (library("TLSV1_ALERT_PROTOCOL_VERSION"), "tls_version_mismatch"),
    (library("INAPPROPRIATE_FALLBACK"), "tls_version_mismatch"),
    (library("NO_SHARED_CIPHER"), "cipher_mismatch"),
    (library("NO_SHARED_GROUP"), "cipher_mismatch"),
    (library("WRONG_CURVE"), "cipher_mismatch"),
    (library("NO_COMMON_SIGNATURE_ALGORITHMS"), "cipher_mismatch"),
    (library("TLSV1_ALERT_INSUFFICIENT_SECURITY"), "cipher_mismatch"),
    (library("SSLV3_ALERT_HANDSHAKE_FAILURE|268435610:_:HANDSHAKE_FAILURE_ON_CLIENT_HELLO"), "cipher_mismatch"),
    (library("HTTP_REQUEST"), "plaintext"),
    (library("HTTPS_PROXY_REQUEST"), "plaintext"),
    (library("WRONG_VERSION_NUMBER"), "plaintext"),
    (library("SSLV3_ALERT_CERTIFICATE_EXPIRED"), "peer_rejected_cert"),
    (library("SSLV3_ALERT_CERTIFICATE_UNKNOWN"), "peer_rejected_cert"),
    (library("SSLV3_ALERT_CERTIFICATE_REVOKED"), "peer_rejected_cert"),
    (library("TLSV1_ALERT_CERTIFICATE_REQUIRED"), "peer_rejected_cert"),
    (library("TLSV1_ALERT_UNKNOWN_CA"), "peer_rejected_cert"),
    (library("SSLV3_ALERT_BAD_CERTIFICATE"), "peer_rejected_cert"),
    (library("SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"), "peer_rejected_cert"),
    (library("TLSV1_ALERT_ACCESS_DENIED"), "peer_rejected_cert"),
    (library("SSLV3_ALERT_HANDSHAKE_FAILURE"), "peer_rejected_cert"),
    (library("BAD_PACKET_LENGTH|268435595:_:DECRYPTION_FAILED_OR_BAD_RECORD_MAC"), "tls_protocol_error"),
]
UNMATCHED: dict[str, object] = {
    "response_flags": "NR",
    "response_code": 0,
    "response_code_details": "filter_chain_not_found",
}
WITHOUT_TEXT = [
    (UNMATCHED | {"requested_server_name": "a.example"}, Failure("no_filter_chain", DOWNSTREAM)),
    (UNMATCHED, Failure("plaintext", DOWNSTREAM)),
    ({"response_flags": "UT"}, Failure("upstream_timeout", UPSTREAM)),
    (
        {"connection_termination_details": "transport socket timeout was reached"},
        Failure("handshake_incomplete", DOWNSTREAM),
    ),
]


def inspector(word: str) -> str:
    """What the TLS inspector notes."""
    return f"TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:{word}:TLS_error_end"


def downstream(text: object, **fields: object) -> dict[str, object]:
    return {"response_flags": "-", "downstream_transport_failure_reason": text, **fields}


def upstream(text: object, **fields: object) -> dict[str, object]:
    return {"response_flags": "UF", "upstream_transport_failure_reason": text, **fields}


# What real Envoys wrote


@pytest.mark.parametrize("version", ["1.36.4", "1.40.0"])
def test_every_line_of_a_real_envoy(version: str) -> None:
    rows = [row for row in CORPUS if row["envoy"] == version]
    wanted = [Failure(row["failure_reason"], row["side"]) if row["keep"] else None for row in rows]
    wrong = [
        (row["scenario"], row["level"], row["fields"], got, want)
        for row, want in zip(rows, wanted, strict=True)
        if (got := classify(json.loads(row["line"]))) != want
    ]
    assert len(rows) >= 200
    assert wrong == []


def test_a_literal_is_in_every_line_that_is_kept_and_hardly_in_others() -> None:
    assert all(is_found(row["line"].encode()) for row in CORPUS if row["keep"])
    for_nothing = {row["scenario"] for row in CORPUS if not row["keep"] and is_found(row["line"].encode())}
    # An HTTP route that was not found is NR too; the other holds `"UT` inside a client's name.
    assert for_nothing == {"out_http_no_route", "in_tcp_tls13_hostile_san_client_cert"}


# Each reason


def test_every_reason_is_reached_and_none_is_without_a_text() -> None:
    reached = {reason for _, reason in TEXTS} | {failure.reason for _, failure in WITHOUT_TEXT}
    assert reached == set(REASONS)
    assert len(REASONS) == 16
    assert all(text.endswith(".") for text in REASONS.values())


@pytest.mark.parametrize(("text", "reason"), TEXTS)
def test_reason_text(text: str, reason: str) -> None:
    assert classify(downstream(text)) == Failure(reason, DOWNSTREAM)
    assert classify(upstream(text)) == Failure(reason, UPSTREAM)
    details = f"upstream_reset_before_response_started{{remote_connection_failure|{text}}}"
    assert classify({"response_flags": "UF", "response_code_details": details}) == Failure(reason, UPSTREAM)


@pytest.mark.parametrize(("text", "reason"), TEXTS)
def test_spaces_and_underscores_are_alike(text: str, reason: str) -> None:
    assert classify(downstream(text.replace("_", " "))) == Failure(reason, DOWNSTREAM)
    assert classify(upstream(text.replace("_", " "))) == Failure(reason, UPSTREAM)


@pytest.mark.parametrize(("record", "failure"), WITHOUT_TEXT)
def test_failures_without_a_text(record: Mapping[str, object], failure: Failure) -> None:
    assert classify(record) == failure


# The rules and their order


@pytest.mark.parametrize("unset", [None, "-", ""])
def test_null_dash_empty_and_missing_are_one(unset: object) -> None:
    nothing = dict.fromkeys(KEYS, unset)
    assert classify(nothing) is None
    assert classify({}) is None
    assert classify(nothing | {"response_flags": "NR", "response_code": 0}) == Failure(
        "no_filter_chain", DOWNSTREAM
    )  # the inspector noted nothing
    assert classify(nothing | {"response_flags": "UT"}) == Failure("upstream_timeout", UPSTREAM)
    assert classify(nothing | downstream(NO_TEXT)) == Failure("cert_verify_failed", DOWNSTREAM)


@pytest.mark.parametrize("flags", ["NR", "NR,UF", "UF,NR", "UF,NR,URX"])
def test_flags_are_split_not_compared(flags: str) -> None:
    assert classify(UNMATCHED | {"response_flags": flags}) == Failure("plaintext", DOWNSTREAM)
    timeout = flags.replace("NR", "UT")
    assert classify({"response_flags": timeout}) == Failure("upstream_timeout", UPSTREAM)


@pytest.mark.parametrize("flags", ["UTX", "XUT", "NRX", "ut", " UT", "UT;UF"])
def test_flags_that_only_look_alike(flags: str) -> None:
    assert classify({"response_flags": flags}) is None


def test_an_http_route_that_is_not_found_is_no_handshake() -> None:
    assert classify({"response_flags": "NR", "response_code_details": "route_not_found"}) is None


@pytest.mark.parametrize(
    "record",
    [
        {"response_code": 404},
        {"response_code": "404"},
        {"response_code": 404, "response_code_details": None},
        {"response_code": 404, "response_flags": "NR,DI"},
        {},  # a format with neither: nothing can be said
        {"response_code": None, "response_code_details": "-"},
        {"downstream_tls_version": "TLSv1.3"},  # the handshake was over
    ],
)
def test_a_request_without_a_route_is_no_handshake_without_details_either(record: Mapping[str, object]) -> None:
    assert classify({"response_flags": "NR", "requested_server_name": "a.example", **record}) is None


@pytest.mark.parametrize("code", [0, "0"])
def test_a_connection_has_no_response_code(code: object) -> None:
    assert classify({"response_flags": "NR", "response_code": code}) == Failure("plaintext", DOWNSTREAM)
    assert classify({"response_flags": "NR", "downstream_tls_version": None}) == Failure("plaintext", DOWNSTREAM)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"downstream_transport_failure_reason": inspector("HTTP_REQUEST")}, "plaintext"),
        ({"downstream_transport_failure_reason": inspector("WRONG_VERSION_NUMBER")}, "plaintext"),
        ({"downstream_transport_failure_reason": inspector("UNEXPECTED_RECORD")}, "plaintext"),  # a database client
        ({"downstream_transport_failure_reason": inspector("TLSV1_ALERT_PROTOCOL_VERSION")}, "tls_version_mismatch"),
        ({"downstream_transport_failure_reason": inspector("UNSUPPORTED_PROTOCOL")}, "tls_version_mismatch"),
        ({"downstream_transport_failure_reason": None}, "no_filter_chain"),  # a ClientHello without an SNI
        ({"downstream_transport_failure_reason": None, "duration": 3}, "no_filter_chain"),
        ({"downstream_transport_failure_reason": None, "duration": 5001}, "plaintext"),  # it has sent nothing
        ({"downstream_transport_failure_reason": None, "duration": "300"}, "plaintext"),
        (
            {
                "downstream_transport_failure_reason": inspector("WRONG_VERSION_NUMBER"),
                "requested_server_name": "a.example",
            },
            "no_filter_chain",
        ),
    ],
)
def test_what_no_chain_took_is_told_by_the_inspector(fields: dict[str, object], reason: str) -> None:
    assert classify(UNMATCHED | fields) == Failure(reason, DOWNSTREAM)
    assert classify(UNMATCHED | fields, is_gateway=True) == Failure(reason, DOWNSTREAM)


def test_a_gateway_speaks_only_tls() -> None:
    assert classify(UNMATCHED, is_gateway=True) == Failure("no_filter_chain", DOWNSTREAM)


@pytest.mark.parametrize("hello", [{"requested_server_name": "a"}, {"downstream_tls_cipher": "TLS_AES_128_GCM_SHA256"}])
def test_a_wrong_version_after_a_client_hello_is_no_plaintext(hello: dict[str, object]) -> None:
    wrong = library("WRONG_VERSION_NUMBER")
    assert classify(downstream(wrong)) == Failure("plaintext", DOWNSTREAM)
    assert classify(downstream(wrong, **hello)) == Failure("tls_protocol_error", DOWNSTREAM)
    assert classify(upstream(wrong) | hello) == Failure("plaintext", UPSTREAM)  # the hello of another connection


def test_a_connection_that_envoy_rejects_for_want_of_an_endpoint_is_no_failed_handshake() -> None:
    rejected = library("CONNECTION_REJECTED")
    assert classify(downstream(rejected, response_flags="UH")) is None
    assert classify(downstream(rejected)) == Failure("tls_protocol_error", DOWNSTREAM)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("tls_process_server_certificate:certificate_verify_failed", "cert_verify_failed"),
        ("tls_process_client_certificate:certificate_verify_failed:_certificate_has_expired", "cert_expired"),
        ("ssl3_read_bytes:sslv3_alert_certificate_expired", "peer_rejected_cert"),
        ("ssl3_read_bytes:ssl/tls_alert_unknown_ca", "peer_rejected_cert"),
        ("ssl3_read_bytes:tlsv13_alert_certificate_required", "peer_rejected_cert"),
        ("ssl3_read_bytes:tlsv1_alert_protocol_version", "tls_version_mismatch"),
        ("tls_early_post_process_client_hello:unsupported_protocol", "tls_version_mismatch"),
        ("tls_post_process_client_hello:no_shared_cipher", "cipher_mismatch"),
        ("tls_process_client_certificate:peer_did_not_return_a_certificate", "no_client_cert"),
        ("ssl3_get_record:wrong_version_number", "plaintext"),
        ("ssl3_get_record:http_request", "plaintext"),
        ("ssl3_read_n:unexpected_eof_while_reading", "handshake_incomplete"),
        ("tls_construct_client_hello:no_ciphers_available", "cipher_mismatch"),
    ],
)
def test_an_envoy_built_with_openssl_writes_small_letters(words: str, reason: str) -> None:
    text = f"TLS_error:_337047686:SSL_routines:{words}"
    assert classify(upstream(text)) == Failure(reason, UPSTREAM)
    details = {"response_code_details": f"upstream_reset_before_response_started{{connection_failure,{text}}}"}
    assert classify({"response_flags": "UF,URX", **details}) == Failure(reason, UPSTREAM)


def test_plaintext_into_strict_is_told_by_the_missing_chain_not_by_the_inspector() -> None:
    record = downstream(INSPECTOR, response_flags="NR", response_code_details="filter_chain_not_found")
    assert classify(record) == Failure("plaintext", DOWNSTREAM)
    assert classify(downstream(INSPECTOR)) is None
    assert classify(downstream(INSPECTOR.replace("_", " "))) is None
    assert classify(downstream(f"{INSPECTOR}|{NO_TEXT}")) is None


def test_a_note_of_the_inspector_does_not_hide_the_upstream() -> None:
    record = downstream(INSPECTOR, upstream_transport_failure_reason=x509("certificate_has_expired"))
    assert classify(record) == Failure("cert_expired", UPSTREAM)


@pytest.mark.parametrize(
    "text", ["delayed_connect_error:_Connection_refused", "TLSv1.3", "HTTP_REQUEST", "TLS_error_end"]
)
def test_a_text_that_is_not_of_a_tls_socket(text: str) -> None:
    assert classify(downstream(text)) is None
    assert classify(upstream(text)) is None


def test_an_upstream_that_refused_the_connection_has_not_failed_in_tls() -> None:
    assert classify(upstream("delayed_connect_error:_Connection_refused|TLS_error:_Connection_refused")) is None


def test_a_stalled_handshake_in_either_spelling() -> None:
    for details in ("transport socket timeout was reached", "transport_socket_timeout_was_reached"):
        record = {"response_flags": "UT", "connection_termination_details": details}
        assert classify(record) == Failure("handshake_incomplete", DOWNSTREAM)


LATER = ("handshake_incomplete", "peer_rejected_cert", "tls_protocol_error")


@pytest.mark.parametrize("count", [1, 98, "98", 10**400, pytest.param("1" * 5000, id="long"), 0.5, "007"])
@pytest.mark.parametrize("key", ["bytes_received", "bytes_sent"])
def test_a_disconnect_after_data_is_no_failed_handshake(key: str, count: object) -> None:
    for text, reason in TEXTS:
        kept = None if reason in LATER else Failure(reason, DOWNSTREAM)
        assert classify(downstream(text, **{key: count})) == kept
        assert classify(upstream(text, **{key: count})) == Failure(reason, UPSTREAM)


@pytest.mark.parametrize("count", [0, "0", "00", "-", "", None, 0.0, -1, "-1", "many", [1], {"bytes": 1}, float("nan")])
def test_counts_that_say_no_data_was_carried(count: object) -> None:
    for text, reason in TEXTS:
        record = downstream(text, bytes_received=count, bytes_sent=count)
        assert classify(record) == Failure(reason, DOWNSTREAM)


def test_a_disconnect_after_data_leaves_the_timeout() -> None:
    record = downstream(library("BAD_DECRYPT"), bytes_sent=5, response_flags="UT")
    assert classify(record) == Failure("upstream_timeout", UPSTREAM)


# Dates, where Envoy gives no text


def dated(start: object, end: object, now: object = NOW, text: str = NO_TEXT) -> str | None:
    record = downstream(text, downstream_peer_cert_v_start=start, downstream_peer_cert_v_end=end, start_time=now)
    failure = classify(record)
    return failure and failure.reason


PAST, FUTURE = "2020-02-01T00:00:00.000Z", "2030-02-01T00:00:00.000Z"


def test_dates_tell_what_an_old_envoy_does_not() -> None:
    assert dated(PAST, PAST) == "cert_expired"
    assert dated(FUTURE, FUTURE) == "cert_not_yet_valid"
    assert dated(PAST, FUTURE) == "cert_verify_failed"
    assert dated(None, PAST) == "cert_expired"
    assert dated(FUTURE, None) == "cert_not_yet_valid"
    assert dated(PAST, NOW) == "cert_verify_failed"
    assert dated(NOW, FUTURE) == "cert_verify_failed"


def test_a_text_goes_before_the_dates() -> None:
    assert dated(PAST, PAST, text=x509("self_signed_certificate")) == "cert_untrusted"


def test_dates_of_the_downstream_say_nothing_of_the_upstream() -> None:
    record = upstream(NO_TEXT, downstream_peer_cert_v_end=PAST, start_time=NOW)
    assert classify(record) == Failure("cert_verify_failed", UPSTREAM)


@pytest.mark.parametrize(
    "strange",
    [
        "2020-02-31T00:00:00.000Z",
        "0000-00-00",
        "yesterday",
        "2020",
        "\ud800",
        pytest.param("9" * 5000, id="long"),
        1580515200,
        True,
        ["2020-02-01"],
        "-",
        "",
        None,
    ],
)
def test_strange_dates_are_no_dates(strange: object) -> None:
    assert dated(strange, strange) == "cert_verify_failed"
    assert dated(PAST, PAST, now=strange) == "cert_verify_failed"


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00+23:59", "2020-02-01", "2020-02-01 00:00:00", "20200201T000000Z"])
def test_dates_in_other_spellings(end: str) -> None:
    assert dated(None, end) == "cert_expired"


@given(st.datetimes(), st.timedeltas(min_value=timedelta(hours=-23), max_value=timedelta(hours=23)))
def test_dates_are_compared_as_times_not_as_text(end: datetime, shift: timedelta) -> None:
    now = datetime(2026, 11, 23, 6, 35, 39, 44000, UTC)
    wanted = "cert_expired" if end.replace(tzinfo=UTC) < now else "cert_verify_failed"
    assert dated(None, end.isoformat() + "Z") == wanted
    minutes = int(shift.total_seconds()) // 60
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    elsewhere = (now + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%f") + zone
    assert dated(None, end.isoformat(), now=elsewhere) == wanted


# Text made by the peer

HOSTILE = [
    "certificate has expired",
    'x","response_flags":"UT","b\nc_certificate_has_expired_]:TLS_error_end',
    "not supplied by SDS",
    "system_library",
    "]:TLS_error_end|268435648:SSL_routines:OPENSSL_internal:PEER_DID_NOT_RETURN_A_CERTIFICATE",
    "TLS_error|error:1000009c",
    "revoked CRL issuer",
    "SAN matcher",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_certificate_cannot_name_its_own_reason(name: str) -> None:
    text = verify(f"SAN_matcher,_certificate_SANs_are_[spiffe://other.domain/{name}]")
    assert classify(downstream(text, bytes_sent=0)) == Failure("cert_san_mismatch", DOWNSTREAM)
    assert classify(upstream(text)) == Failure("cert_san_mismatch", UPSTREAM)


@given(st.text() | st.lists(st.sampled_from(HOSTILE)).map(" ".join))
def test_no_certificate_can_name_its_own_reason(name: str) -> None:
    text = verify(f"SAN_matcher,_certificate_SANs_are_[{name}]")
    assert classify(downstream(text)) == Failure("cert_san_mismatch", DOWNSTREAM)


@pytest.mark.parametrize("name", [*HOSTILE, NO_TEXT, "transport socket timeout"])
def test_names_in_other_fields_are_never_a_failure(name: str) -> None:
    others = ("downstream_peer_uri_san", "downstream_peer_subject", "requested_server_name", "path", "user_agent")
    assert classify({"response_flags": "-"} | dict.fromkeys(others, name)) is None


# Values of any type

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
LIKELY = st.sampled_from(
    [text for text, _ in TEXTS]
    + ["-", "", "NR", "UT", "UF,NR", "UF,UT", "UF,URX", INSPECTOR, "filter_chain_not_found", "via_upstream"]
    + ["transport socket timeout was reached", PAST, FUTURE, NOW, "0", "17"]
)


@given(st.dictionaries(st.sampled_from(KEYS), LIKELY | ANY_JSON | st.text(alphabet=st.characters())))
def test_no_value_of_any_type_raises(record: dict[str, object]) -> None:
    failure = classify(record)
    if failure is not None:
        assert failure.reason in REASONS
        assert failure.side in (DOWNSTREAM, UPSTREAM)


# The promise of the patterns


SCANNER = Scanner(MTLS.patterns)


def is_found(raw: bytes) -> bool:
    return SCANNER.matches(raw)


class Escaper:
    """Writes a value as JSON in one of the many ways there are."""

    def __init__(self, chance: random.Random, rate: float) -> None:
        self._chance = chance
        self._rate = rate

    def dumps(self, value: Any) -> str:
        if isinstance(value, dict):
            members = (f"{self.dumps(key)}{self._space()}:{self.dumps(item)}" for key, item in value.items())
            return f"{self._space()}{{{','.join(members)}{self._space()}}}{self._space()}"
        if isinstance(value, str):
            return f'{self._space()}"{"".join(map(self._char, value))}"{self._space()}'
        return json.dumps(value)

    def _space(self) -> str:
        return self._chance.choice(["", "", " ", "\n\t "])

    def _char(self, char: str) -> str:
        if char in '"\\' or char < " " or self._chance.random() < self._rate:
            code = f"\\u{ord(char):04x}"
            return self._chance.choice([code, code[:2] + code[2:].upper()])
        return char


def respelled(text: str, chance: random.Random) -> str:
    """Some of the underscores become spaces, and some spaces underscores."""
    return "".join(chance.choice("_ ") if char in "_ " else char for char in text)


@given(
    record=st.dictionaries(st.sampled_from(KEYS), LIKELY),
    chance=st.randoms(use_true_random=False),
    rate=st.sampled_from([0.0, 0.01, 0.1, 1.0]),
)
@example(record={"response_flags": "UF,NR", "response_code": "0"}, chance=random.Random(1), rate=1.0)
@example(record={"response_flags": "UF,UT"}, chance=random.Random(1), rate=0.0)
def test_whatever_is_kept_is_found_however_it_is_escaped(
    record: dict[str, str], chance: random.Random, rate: float
) -> None:
    record = {key: respelled(value, chance) for key, value in record.items()}
    raw = Escaper(chance, rate).dumps(record)
    assert json.loads(raw) == record
    if classify(record) is not None:
        assert is_found(raw.encode())


@pytest.mark.parametrize("rate", [0.0, 0.02, 1.0])
def test_every_kept_line_of_the_corpus_is_found_when_escaped_anew(rate: float) -> None:
    chance = random.Random(20)
    for row in CORPUS:
        if row["keep"]:
            record = json.loads(row["line"])
            seen = {key: record[key] for key in KEYS if key in record}
            raw = Escaper(chance, rate).dumps(seen)
            assert json.loads(raw) == seen
            assert is_found(raw.encode()), row["scenario"]


BARE: list[Mapping[str, object]] = [
    {"response_flags": "NR", "response_code": 0},
    {"response_flags": "UF,NR", "response_code": "0"},
    {"response_flags": "UT"},
    {"response_flags": "UF,UT"},
    {"connection_termination_details": "transport socket timeout"},
    {"connection_termination_details": "transport_socket_timeout"},
    *(downstream(respell) for text, _ in TEXTS for respell in (text, text.replace("_", " "))),
    *(upstream(respell) for text, _ in TEXTS for respell in (text, text.replace("_", " "))),
]


def test_nothing_but_the_cause_is_needed_to_be_found() -> None:
    assert all(classify(record) for record in BARE)
    assert [record for record in BARE if not is_found(json.dumps(record).encode())] == []


@pytest.mark.parametrize("pattern", MTLS.patterns)
def test_no_pattern_is_superfluous(pattern: bytes) -> None:
    raws = [json.dumps(record) for record in BARE] + ['{"response_flags":"\\u004eR"}', '{"error":"io error"}']
    assert any([one for one in MTLS.patterns if re.search(one, raw.encode())] == [pattern] for raw in raws)
