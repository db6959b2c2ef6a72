"""Why a handshake failed, from one access-log record.

Envoy has no field for it: the cause is spread over response flags, details, and the text of the TLS library. The
texts were collected from Envoy 1.36 to 1.40. Knows the keys of the access log; nothing of lines, labels or keep rules.

The peer can write part of the text: behind `SAN matcher` stand the names of a certificate that nobody has verified.
So that phrase is looked for before any other, and the names after it decide nothing.
"""

from collections.abc import Mapping
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

Texts = tuple[tuple[str, tuple[str, ...]], ...]

_VERIFY_FAILED: Final = "CERTIFICATE VERIFY FAILED"

# What may stand beside CERTIFICATE_VERIFY_FAILED; the first row that matches counts. The peer's names follow on
# `SAN matcher`, so nothing may come before that row; the last row is for any other cause.
_VERIFY_TEXTS: Final[Texts] = (
    ("cert_san_mismatch", ("SAN matcher", "no trust bundle")),
    ("cert_invalid", ("revo", "CRL")),
    ("cert_expired", ("certificate has expired",)),
    ("cert_not_yet_valid", ("certificate is not yet valid",)),
    (
        "cert_untrusted",
        ("issuer", "self signed", "unable to verify the first", "not trusted", "signature failure"),
    ),
    ("cert_invalid", ("verify cert failed",)),
)

# Everything else the TLS library says, by its words: the numbers beside them differ between builds.
_TLS_TEXTS: Final[Texts] = (
    ("local_cert_missing", ("not supplied by SDS",)),
    ("handshake_incomplete", ("system library",)),
    ("no_client_cert", ("PEER DID NOT RETURN A CERTIFICATE",)),
    ("tls_version_mismatch", ("UNSUPPORTED PROTOCOL", "ALERT PROTOCOL VERSION", "INAPPROPRIATE FALLBACK")),
    (
        "cipher_mismatch",
        (
            "NO SHARED CIPHER",
            "NO SHARED GROUP",
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


def classify(record: Mapping[str, object]) -> Failure | None:
    """Why the handshake failed, or the request timed out; None for all else, healthy or failing outside TLS.

    `record` is the access log's JSON, with values of any type; a value that is no text counts as not set.
    """
    flags = record.get("response_flags")
    names = flags.split(",") if type(flags) is str else ()
    if "NR" in names and _text(record, "response_code_details") in ("", "filter chain not found"):
        served = "no_filter_chain" if _text(record, "requested_server_name") else "plaintext"
        return Failure(served, DOWNSTREAM)
    if "transport socket timeout" in _text(record, "connection_termination_details"):
        return Failure("handshake_incomplete", DOWNSTREAM)
    if reason := _downstream_reason(record):
        return Failure(reason, DOWNSTREAM)
    if reason := _upstream_reason(record):
        return Failure(reason, UPSTREAM)
    return TIMEOUT if "UT" in names else None


def _downstream_reason(record: Mapping[str, object]) -> str:
    """The reason of a handshake that failed on the side of who connected; empty for none.

    A text that lacks `TLS error:` is not from a TLS socket. One that begins with `TLS_error|` is a note of the TLS
    inspector, which healthy plaintext connections have too.
    """
    text = _text(record, "downstream_transport_failure_reason")
    if "TLS error:" not in text or text.startswith("TLS error|"):
        return ""
    reason = _reason_of(text)
    if reason == "cert_verify_failed":
        return _reason_by_dates(record)
    return "" if reason in _ALSO_AFTER_HANDSHAKE and _carried_data(record) else reason


def _upstream_reason(record: Mapping[str, object]) -> str:
    """The reason of a handshake that failed on the side we connected to; empty for none."""
    text = _text(record, "upstream_transport_failure_reason")
    if text.startswith("TLS error:"):
        return _reason_of(text)
    _, prefix, text = _text(record, "response_code_details").partition("TLS error:")
    return _reason_of(text) if prefix else ""


def _reason_of(text: str) -> str:
    """The reason in a text that holds `TLS error:`; never empty."""
    if _VERIFY_FAILED in text:
        return _first_match(_VERIFY_TEXTS, text) or "cert_verify_failed"
    return _first_match(_TLS_TEXTS, text)


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
    return _positive(record.get("bytes_received")) or _positive(record.get("bytes_sent"))


def _positive(value: object) -> bool:
    """A count above zero, as a number or as its digits."""
    if type(value) is str:
        return value.isdecimal() and value.strip("0") != ""
    return isinstance(value, int | float) and value > 0
