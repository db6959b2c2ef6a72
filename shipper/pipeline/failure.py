"""Why a handshake failed, from one access-log record.

Envoy has no field for it: the cause is spread over response flags, details, and the text of the TLS library. The
texts were collected from Envoy 1.36 to 1.40. Knows the keys of the access log; nothing of lines, labels or keep rules.

The peer can write part of the text: behind `SAN matcher` stand the names of a certificate that nobody has verified.
So that phrase is looked for before any other, and the names after it decide nothing.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from shipper.times import parse_iso_time

DOWNSTREAM: Final = "downstream"
UPSTREAM: Final = "upstream"

REASONS: Final[dict[str, str]] = {
    "local_cert_missing": "This proxy has no certificate yet: its secret was not delivered by SDS.",
    "cert_san_mismatch": "The peer's certificate is valid, its identity is not one we accept: another trust domain, "
    "or a name that matches no SAN matcher.",
    "cert_invalid": "The peer's certificate was refused for another cause: revoked, or not made for this purpose.",
    "cert_expired": "The peer's certificate, or one of its chain, has expired.",
    "cert_not_yet_valid": "The peer's certificate, or one of its chain, is not valid yet; often a wrong clock.",
    "cert_untrusted": "The peer's certificate leads to no CA we trust: another root, self-signed, or an intermediate "
    "is missing.",
    "cert_verify_failed": "The peer's certificate was refused and Envoy does not say why. Envoy before 1.37: "
    "untrusted, another identity, or revoked.",
    "handshake_incomplete": "The peer closed, reset or stalled before the handshake was over.",
    "no_client_cert": "The peer speaks TLS and sent no certificate, where one is required.",
    "tls_version_mismatch": "The two sides have no TLS version in common.",
    "cipher_mismatch": "The two sides have no cipher, group or signature algorithm in common.",
    "plaintext": "The peer speaks plaintext where TLS is required; usually a client outside the mesh.",
    "peer_rejected_cert": "The peer refused our certificate, and said so with a TLS alert.",
    "no_filter_chain": "The peer speaks TLS, but no filter chain takes it: its SNI or ALPN is not served here.",
    "tls_protocol_error": "Another TLS error. An OpenSSL client that refuses our certificate on TLS 1.3 looks so.",
    "upstream_timeout": "No handshake failed: the upstream did not answer the request in time (flag UT, HTTP 504).",
}

TIMED_OUT: Final = rb"[^A-Za-z]UT"
ESCAPED: Final = rb"\\u00"
PATTERNS: Final = (rb"TLS[^A-Za-z|]error:", rb"socket[^A-Za-z]timeout", rb"[^A-Za-z]NR")
r"""Every line, of text or JSON in UTF-8, of a record that `classify` keeps matches at least one of these three, or of
the two before them.

Each way to be kept puts ASCII text into one value: `TLS error:` into a failure reason or into the response code
details, `socket timeout` into the termination details, with spaces or underscores; `NR` or `UT` into the flags, after
a comma or at the beginning of the value, which a quote opens in JSON and a blank in text. JSON has no other way to
write one of these characters than itself or `\u00xx`, and an opening quote is never escaped. Keys are not looked at,
so they may be escaped as they like. The colon spares the healthy lines on which the TLS inspector left its
`TLS_error|error:…:TLS_error_end`; the classes are wide so that each pattern is one literal to the search.
"""

SILENT: Final = (
    100  # milliseconds that a client has sent nothing: listener filters time out later, a ClientHello comes sooner
)

_MOST_DIGITS: Final = 18  # of a count
_SHORT: Final = 500  # characters: longer texts hold what a peer has written, and do not come again

Texts = tuple[tuple[str, tuple[str, ...]], ...]

# Compared in capitals, with `_` read as a blank: BoringSSL writes CERTIFICATE_VERIFY_FAILED, an Envoy built with
# OpenSSL (OpenShift's) `certificate verify failed` and `ssl/tls alert unknown ca`.
_VERIFY_FAILED: Final = "CERTIFICATE VERIFY FAILED"

# What may stand beside CERTIFICATE_VERIFY_FAILED; the first row that matches counts. The peer's names follow on
# `SAN matcher`, so nothing may come before that row; the last row is for any other cause.
_VERIFY_TEXTS: Final[Texts] = (
    ("cert_san_mismatch", ("SAN MATCHER", "NO TRUST BUNDLE")),
    ("cert_invalid", ("REVO", "CRL")),
    ("cert_expired", ("CERTIFICATE HAS EXPIRED",)),
    ("cert_not_yet_valid", ("CERTIFICATE IS NOT YET VALID",)),
    (
        "cert_untrusted",
        ("ISSUER", "SELF SIGNED", "SELF-SIGNED", "UNABLE TO VERIFY THE FIRST", "NOT TRUSTED", "SIGNATURE FAILURE"),
    ),
    ("cert_invalid", ("VERIFY CERT FAILED",)),
)

# Everything else the TLS library says, by its words: the numbers beside them differ between builds.
_TLS_TEXTS: Final[Texts] = (
    ("local_cert_missing", ("NOT SUPPLIED BY SDS",)),
    ("handshake_incomplete", ("SYSTEM LIB", "UNEXPECTED EOF")),
    ("no_client_cert", ("PEER DID NOT RETURN A CERTIFICATE",)),
    (
        "tls_version_mismatch",
        (
            "UNSUPPORTED PROTOCOL",
            "ALERT PROTOCOL VERSION",
            "INAPPROPRIATE FALLBACK",
            "NO PROTOCOLS AVAILABLE",
            "VERSION TOO LOW",
        ),
    ),
    (
        "cipher_mismatch",
        (
            "NO SHARED CIPHER",
            "NO SHARED GROUP",
            "NO SHARED SIGNATURE ALGORITHMS",
            "NO CIPHERS AVAILABLE",
            "NO SUITABLE KEY SHARE",
            "NO SUITABLE SIGNATURE ALGORITHM",
            "WRONG CURVE",
            "NO COMMON SIGNATURE ALGORITHMS",
            "INSUFFICIENT SECURITY",
            "HANDSHAKE FAILURE ON CLIENT HELLO",
        ),
    ),
    ("plaintext", ("HTTP REQUEST", "HTTPS PROXY REQUEST", "WRONG VERSION NUMBER")),
    (
        "peer_rejected_cert",
        (
            "ALERT CERTIFICATE ",
            "ALERT UNKNOWN CA",
            "ALERT BAD CERTIFICATE",
            "ALERT UNSUPPORTED CERTIFICATE",
            "ALERT ACCESS DENIED",
            "ALERT HANDSHAKE FAILURE",
        ),
    ),
    ("tls_protocol_error", ("",)),
)

# A connection that has carried data and then ends with one of these had its handshake behind it.
_ALSO_AFTER_HANDSHAKE: Final = frozenset({"handshake_incomplete", "peer_rejected_cert", "tls_protocol_error"})


class Failure(NamedTuple):
    """One failed handshake, or one upstream timeout."""

    reason: str  # a key of REASONS
    side: str  # of this proxy: downstream, from where it is connected to, or upstream, where it connects to


TIMEOUT: Final = Failure("upstream_timeout", UPSTREAM)


def classify(record: Mapping[str, object], *, is_gateway: bool = False) -> Failure | None:
    """Why the handshake failed, or the request timed out; None for all else, healthy or failing outside TLS.

    `record` is the access log's JSON, with values of any type; a value that is no text counts as not set. `is_gateway`:
    the line is of a gateway, whose listeners all speak TLS.
    """
    flags = record.get("response_flags")
    names = flags.split(",") if type(flags) is str else ()
    if "NR" in names and _is_no_request(record):
        return Failure(_unmatched_reason(record, is_gateway), DOWNSTREAM)
    if "transport socket timeout" in _text(record, "connection_termination_details"):
        return Failure("handshake_incomplete", DOWNSTREAM)
    if reason := _downstream_reason(record, names):
        return Failure(reason, DOWNSTREAM)
    if reason := _upstream_reason(record):
        return Failure(reason, UPSTREAM)
    return TIMEOUT if "UT" in names else None


def _is_no_request(record: Mapping[str, object]) -> bool:
    """Whether `NR` means that no filter chain took the connection, and not that an HTTP request found no route.

    A request has a response code, and details of its own. A log format with neither tells only where TLS was over:
    the plain format of eleven fields has its version.
    """
    details, code = _text(record, "response_code_details"), record.get("response_code")
    if _is_set(record, "response_code") or details not in ("", "filter chain not found"):
        return False
    if details or code in (0, "0"):
        return True
    return "downstream_tls_version" in record and not _is_set(record, "downstream_tls_version")


def _unmatched_reason(record: Mapping[str, object], is_gateway: bool) -> str:
    """Why no filter chain took the connection: it is not TLS, or TLS that is not served here.

    Envoy 1.36 and later write what the TLS inspector saw: of plaintext and of a version it does not speak, not of
    a ClientHello without an SNI. Where a format has no such field, it is plaintext in front of a sidecar, and an SNI
    that is not served in front of a gateway; both are the usual case, not the only one.
    """
    noted = _text(record, "downstream_transport_failure_reason")
    is_noted = noted.startswith("TLS error|")
    if is_noted and _reason_of(noted) == "tls_version_mismatch":
        return "tls_version_mismatch"
    if _said_hello(record):
        return "no_filter_chain"
    if is_noted:  # whatever the word (HTTP_REQUEST, WRONG_VERSION_NUMBER, UNEXPECTED_RECORD): it was no ClientHello
        return "plaintext"
    if "downstream_transport_failure_reason" in record:
        return "plaintext" if _number(record.get("duration")) >= SILENT else "no_filter_chain"
    return "no_filter_chain" if is_gateway else "plaintext"


def _said_hello(record: Mapping[str, object]) -> bool:
    """Whether a ClientHello was read: only then are there an SNI, or a cipher."""
    return _is_set(record, "requested_server_name") or _is_set(record, "downstream_tls_cipher")


def _downstream_reason(record: Mapping[str, object], flags: Sequence[str]) -> str:
    """The reason of a handshake that failed on the side of who connected; empty for none.

    A text that lacks `TLS error:` is not from a TLS socket. One that begins with `TLS_error|` is a note of the TLS
    inspector, which healthy plaintext connections have too.
    """
    text = _text(record, "downstream_transport_failure_reason")
    if "TLS error:" not in text or text.startswith("TLS error|"):
        return ""
    if "UH" in flags and "CONNECTION REJECTED" in text.upper():
        return ""  # Envoy 1.40 closes a TCP connection so, handshake and all, when the cluster has no endpoint
    reason = _reason_of(text)
    if reason == "cert_verify_failed":
        return _reason_by_dates(record)
    if reason == "plaintext" and _said_hello(record):
        return "tls_protocol_error"  # a later record had a wrong version
    return "" if reason in _ALSO_AFTER_HANDSHAKE and _carried_data(record) else reason


def _upstream_reason(record: Mapping[str, object]) -> str:
    """The reason of a handshake that failed on the side we connected to; empty for none."""
    text = _text(record, "upstream_transport_failure_reason")
    if text.startswith("TLS error:"):
        return _reason_of(text)
    _, prefix, text = _text(record, "response_code_details").partition("TLS error:")
    return _reason_of(text) if prefix else ""


def _reason_of(text: str) -> str:
    """The reason in a text that holds `TLS error:` or `TLS error|`; never empty."""
    return _remembered_reason(text) if len(text) <= _SHORT else _read_reason(text)


@lru_cache(maxsize=1024)  # in a storm the same texts come again: 1.8 instead of 3.0 µs a kept line
def _remembered_reason(text: str) -> str:
    return _read_reason(text)


def _read_reason(text: str) -> str:
    words = text.upper()
    if _VERIFY_FAILED in words:
        return _first_match(_VERIFY_TEXTS, words) or "cert_verify_failed"
    return _first_match(_TLS_TEXTS, words)


def _first_match(texts: Texts, text: str) -> str:
    for reason, any_of in texts:
        for phrase in any_of:
            if phrase in text:
                return reason
    return ""


def _reason_by_dates(record: Mapping[str, object]) -> str:
    """Before Envoy 1.37 only the dates of the peer's certificate tell more. They are logged though it was refused.

    `start_time` is when the connection began, so a certificate is judged by the time it was shown.
    """
    now = _time(record.get("start_time"))
    start = _time(record.get("downstream_peer_cert_v_start"))
    end = _time(record.get("downstream_peer_cert_v_end"))
    if now is not None and end is not None and end < now:
        return "cert_expired"
    if now is not None and start is not None and start > now:
        return "cert_not_yet_valid"
    return "cert_verify_failed"


def _text(record: Mapping[str, object], key: str) -> str:
    """The value with underscores read as spaces; empty for null, missing, `-`, and any value that is no text."""
    value = record.get(key)
    return value.replace("_", " ") if type(value) is str and value != "-" else ""


def _time(value: object) -> int | None:
    return parse_iso_time(value) if type(value) is str else None


def _carried_data(record: Mapping[str, object]) -> bool:
    return _number(record.get("bytes_received")) > 0 or _number(record.get("bytes_sent")) > 0


def _is_set(record: Mapping[str, object], key: str) -> bool:
    """Whether there is a value: a text but `-`, `0` or none, or a number but 0."""
    value = record.get(key)
    return value.strip("0") not in ("", "-") if type(value) is str else _number(value) > 0


def _number(value: object) -> float:
    """A count, as a number or as its digits; 0 for anything else."""
    if type(value) is str:
        return float(value[:_MOST_DIGITS]) if value.isdecimal() and value.isascii() else 0.0
    return value if isinstance(value, int | float) else 0.0
