r"""ztunnel's access log, of Istio's ambient mode: a line to its fields, and why a handshake failed.

    TIME\tLEVEL\taccess\tMESSAGE\tsrc.addr=10.0.0.2:52950 src.workload="web-0" … error="tls handshake error: …"
    {"level":"error","time":"…","scope":"access","message":"connection complete","src.addr":"10.0.0.2:52950",…}

Read in ztunnel's source of 2026-08 (telemetry.rs, proxy/metrics.rs) and measured on a real one: strings are quoted as
Rust's Debug does, so a name that a peer has made cannot begin another field. Errors are rustls': of a server in Debug
form, of a client as sentences. `direction` inbound is our side `downstream`. Up to Istio 1.25 a failed inbound
handshake is a line of `hyper_util`, without any address.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import orjson

from shipper.pipeline.failure import DOWNSTREAM, UPSTREAM, Failure

FAILED: Final = rb"error[^A-Za-z_ :|][^A-Za-z_]"
r"""Every line of the access log that `classify` keeps matches this or, in JSON, `\u00`.

Its error is a field of its own, quoted as ztunnel quotes all text: `error="…` in text, `"error":"…` in JSON, perhaps
with blanks before the colon. A healthy line has none. The first class spares what Envoy writes between the words of an
error (`TLS_error|error:…`), and is wide enough to keep the pattern one literal to the search.
"""

_LINE: Final = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\S+)\s+(?P<level>trace|debug|info|warn|error)\s+(?P<scope>access|hyper_util)\s+"
    r"(?P<message>connection (?:opened|complete|failed)|TLS handshake error: .*?)(?:\s+(?P<fields>[a-z_.]+=.*))?\s*"
)
_FIELD: Final = re.compile(r'\s*([a-z_.]+)=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s"]\S*))')
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))")
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}

Fields = Mapping[str, object]


def parse_ztunnel_line(content: bytes) -> dict[str, object] | None:
    """The fields of a line of the access log, under ztunnel's own names; None for any other line."""
    if content[:1] == b"{":
        try:
            fields = orjson.loads(content)
        except ValueError:
            return None
        return fields if type(fields) is dict and is_access_log(fields) else None
    found = _LINE.fullmatch(content.decode("utf-8", "replace"))
    if found is None:
        return None
    fields = {key: value for key, value in found.groupdict().items() if value is not None and key != "fields"}
    rest, at = found["fields"] or "", 0
    while at < len(rest):
        field = _FIELD.match(rest, at)
        if field is None:
            return None
        name, quoted, bare = field.groups()
        value = bare if quoted is None else _ESCAPE.sub(_unescaped, quoted) if "\\" in quoted else quoted
        fields.setdefault(name, value)
        at = field.end()
    return fields


def is_access_log(fields: Fields) -> bool:
    """Whether an object is a line of ztunnel's access log in JSON."""
    return fields.get("scope") == "access" and "message" in fields and "direction" in fields


def _unescaped(found: re.Match[str]) -> str:
    code, letter = found.groups()
    if code is None:
        return _ESCAPED.get(letter, letter)
    return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else "\ufffd"


def to_record(fields: Fields) -> dict[str, object]:
    """The fields, and beside them the keys of Envoy's access log that mean the same.

    An inbound peer's workload and namespace are left out: they can be its own claim. Its identity was verified, but
    for the one that it was refused for.
    """
    inbound = fields.get("direction") != "outbound"
    record: dict[str, object] = {
        **fields,
        "start_time": fields.get("time"),
        "downstream_remote_address": fields.get("src.addr"),
        "downstream_local_address": fields.get("dst.addr"),
        "downstream_local_uri_san": fields.get("dst.identity" if inbound else "src.identity"),
        "authority": fields.get("dst.service"),
    }
    shown = _shown_identity(_error(fields))
    if inbound:
        return record | {"downstream_peer_uri_san": fields.get("src.identity") or shown}
    return record | {
        "upstream_host": fields.get("dst.hbone_addr") or fields.get("dst.addr"),
        "upstream_peer_uri_san": shown or fields.get("dst.identity"),
    }


_SPIFFE: Final = re.compile(
    r'\[Spiffe \{ trust_domain: "([^"\\]*)", namespace: "([^"\\]*)", service_account: "([^"\\]*)" \}'
)
_GOT: Final = re.compile(r"expected SAN \([^)]*\), got (\S+?)\)*$")


def _shown_identity(error: str) -> str | None:
    """The name in a certificate that was refused for it."""
    if found := _SPIFFE.search(error):
        domain, namespace, account = found.groups()
        return f"spiffe://{domain}/ns/{namespace}/sa/{account}"
    got = _GOT.search(error)
    return got[1] if got else None


# -- why it failed


def classify(fields: Fields) -> Failure | None:
    """Why the handshake failed; None for all else, healthy or failing outside TLS."""
    error = _error(fields)
    if not error:
        return None
    is_named = bool(fields.get("src.identity") or fields.get("dst.hbone_addr"))
    reason = _remembered_reason(error, is_named) if len(error) <= _SHORT else _reason(error, is_named)
    return Failure(reason, UPSTREAM if fields.get("direction") == "outbound" else DOWNSTREAM) if reason else None


def _error(fields: Fields) -> str:
    error = fields.get("error")
    if fields.get("scope") == "hyper_util":
        error = str(fields.get("message")).removeprefix("TLS handshake error: ")
    return error if type(error) is str else ""


_REVOKED: Final = "connection closed: peer certificate revoked by CRL"
_DENIED: Final = "connection closed due to policy rejection: "
# What istiod makes of a PeerAuthentication. `_` is illegal in the name of a policy that a user writes.
_STRICT: Final = re.compile(
    r"explicitly denied by: \S+/(?:istio_converted_static_strict|converted_peer_authentication_)"
)
_NO_CERTIFICATE: Final = ("signing error: ", "identity error: ")
_HANDSHAKE: Final = "tls handshake error: "
_SHORT: Final = 500  # characters: longer texts hold what a peer has written, and do not come again


@lru_cache(maxsize=1024)  # in a storm the same texts come again
def _remembered_reason(error: str, is_named: bool) -> str:
    return _reason(error, is_named)


def _reason(error: str, is_named: bool) -> str:
    """The reason; `is_named`: the peer was known by its identity, or came through a tunnel."""
    if error == _REVOKED:
        return "cert_invalid"
    if error.startswith(_DENIED):
        return "plaintext" if _is_plaintext(error, is_named) else ""
    if error.startswith(_NO_CERTIFICATE):
        return "local_cert_missing"
    if error.startswith(_HANDSHAKE) or error == "Timeout during TLS handshake":
        return _first(_TLS, error) or "tls_protocol_error"
    if error.startswith("io error: "):
        return _first(_TLS[:-1], error) or _first(_MISBEHAVED, error)
    return _first(_ALERTS, error) if error.startswith("h2 failed: received fatal alert: ") else ""


def _is_plaintext(error: str, is_named: bool) -> bool:
    """A connection that a policy denied for want of an identity; one on addresses alone looks the same."""
    return _STRICT.search(error) is not None or not is_named


Rules = tuple[tuple[str, re.Pattern[str]], ...]


def _rules(*rules: tuple[str, str]) -> Rules:
    return tuple((reason, re.compile(pattern)) for reason, pattern in rules)


_ALERT: Final = r"(?:AlertReceived\(|received fatal alert: )"
_ALERTS: Final = _rules(
    ("tls_version_mismatch", rf"{_ALERT}(?:ProtocolVersion|InappropriateFallback)"),
    ("cipher_mismatch", rf"{_ALERT}(?:HandshakeFailure|InsufficientSecurity)"),  # what rustls sends for want of one
    ("no_filter_chain", rf"{_ALERT}(?:NoApplicationProtocol|UnrecognisedName)"),
    (
        "peer_rejected_cert",
        rf"{_ALERT}(?:\w*Certificate\w*|UnknownCA|AccessDenied)",
    ),
    ("tls_protocol_error", _ALERT),
)

_CERTIFICATE: Final = r"(?:InvalidCertificate\(|invalid peer certificate: )"
# The first that matches counts. What a peer has written stands behind the words for a wrong name: they come first.
_TLS: Final = _rules(
    (
        "cert_san_mismatch",
        rf"{_CERTIFICATE}(?:Other\(OtherError\((?:San|identity verification error)|ApplicationVerificationFailure"
        r"|NotValidForName|certificate not valid for name)",
    ),
    ("cert_expired", rf"{_CERTIFICATE}(?:Expired(?:Context)?\b|certificate expired)"),
    ("cert_not_yet_valid", rf"{_CERTIFICATE}(?:NotValidYet|certificate not valid yet)"),
    ("cert_untrusted", rf"{_CERTIFICATE}(?:UnknownIssuer|BadSignature)"),
    ("cert_invalid", _CERTIFICATE),
    *((reason, pattern.pattern) for reason, pattern in _ALERTS),
    ("no_client_cert", r"NoCertificatesPresented|peer sent no certificates"),
    (
        "tls_version_mismatch",
        r"(?:PeerIncompatible\(|peer is incompatible: )(?:SupportedVersionsExtensionRequired"
        r"|SignatureAlgorithmsExtensionRequired|\w*Tls1[23])",
    ),
    ("cipher_mismatch", r"(?:PeerIncompatible\(|peer is incompatible: )\w*(?:InCommon|Groups?|KeyShare)"),
    ("no_filter_chain", r"NoApplicationProtocol|peer doesn't support any known protocol"),
    ("plaintext", r"InvalidMessage\(InvalidContentType|received corrupt message of type InvalidContentType"),
    ("handshake_incomplete", r"tls handshake eof|Timeout during TLS handshake"),
    # Behind the handshake's own prefix only: a TCP connection that was never made may end so too.
    ("handshake_incomplete", r"^tls handshake error: .*(?:UnexpectedEof|ConnectionReset|ConnectionAborted|BrokenPipe)"),
)
_MISBEHAVED: Final = _rules(
    ("tls_protocol_error", r"peer misbehaved|cannot decrypt peer|received corrupt message|received unexpected"),
    ("tls_protocol_error", r"peer is incompatible: "),
)


def _first(rules: Rules, error: str) -> str:
    return next((reason for reason, pattern in rules if pattern.search(error)), "")
