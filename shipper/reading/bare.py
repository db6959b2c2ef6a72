"""Envoy's words without an access log: the body of a response that it made itself, and a TLS error alone.

A developer sees the body in curl, or in the log of an application. The texts are those of Envoy 1.36 to 1.40; `retried
and the latest` stands in it after retries.
"""

import re
from typing import Final

from shipper.pipeline.record import Record

_RESET: Final = re.compile(
    r"upstream connect error or disconnect/reset before headers\. (?:retried and the latest )?"
    r"reset reason: (?P<reset>[a-z0-9 ]+?)(?:, transport failure reason: (?P<reason>.*))?$"
)
_WHOLE: Final[dict[str, dict[str, object]]] = {
    "no healthy upstream": {"response_code": 503, "response_flags": "UH"},
    "upstream request timeout": {"response_code": 504, "response_flags": "UT"},
}
_RESET_FLAGS: Final = {
    "connection failure": "UF",
    "local connection failure": "UF",
    "remote connection failure": "UF",
    "connection timeout": "UF",
    "connection termination": "UC",
    "overflow": "UO",
    "local reset": "LR",
    "local refused stream reset": "LR",
    "remote reset": "UR",
    "remote refused stream reset": "UR",
    "protocol error": "UPE",
}
# An error of BoringSSL or OpenSSL. What begins with `TLS_error|` is a note of the inspector, which says little alone.
_TLS: Final = re.compile(
    r"TLS[_ ]error:.*"
    r"|(?<![|\w])(?:error:[0-9A-Fa-f]{8}|\d{6,}):SSL[_ ]routines:.*"
    r"|(?<![|:\w])(?:SSL[_ ]routines|OPENSSL_internal):.*"  # without its number
)
_END: Final = re.compile(r"(?<=TLS_error_end)|\\?\"|$")


def parse_body(text: str) -> Record | None:
    """The record that the access log of the same request has; None for any other text."""
    if whole := _WHOLE.get(text):
        return whole
    found = _RESET.search(text)
    if found is None:
        return None
    reset = found["reset"].strip()
    return {
        "response_code": 503,
        "response_flags": _RESET_FLAGS.get(reset, "-"),
        "response_code_details": f"upstream_reset_before_response_started{{{reset.replace(' ', '_')}}}",
        "upstream_transport_failure_reason": _cut(found["reason"]) if found["reason"] else None,
    }


def tls_error(text: str) -> str | None:
    """The TLS error in this text, as Envoy writes it."""
    found = _TLS.search(text)
    return as_tls_error(_cut(found[0])) if found else None


def as_tls_error(text: str) -> str:
    """The text with the beginning that Envoy gives it."""
    return text if text.startswith(("TLS error:", "TLS_error:")) else f"TLS error: {text}"


def _cut(text: str) -> str:
    """The text up to the end that Envoy marks, or to a quote around it."""
    found = _END.search(text)
    return text[: found.start()].strip() if found else text
