"""What has failed, in the words of the field: what a Go program would say, and nothing of Python.

Pure. Says what happened, not what to do about it: the caller knows its settings.
"""

import os
import re
import socket
import ssl
from enum import Enum, auto
from typing import Final, NamedTuple

import aiohttp


class Kind(Enum):
    """What an operator can do something about."""

    UNKNOWN_AUTHORITY = auto()
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    WRONG_NAME = auto()
    CLIENT_REFUSED = auto()  # the server does not take our certificate, or wants one
    NO_TLS = auto()  # the server speaks something else
    TLS = auto()  # the server speaks TLS, we do not
    CLOSED = auto()  # before an answer
    PROXY = auto()  # it refuses
    OTHER = auto()


class Fault(NamedTuple):
    """An error, explained."""

    kind: Kind
    text: str


# OpenSSL's numbers: openssl/x509_vfy.h.
_VERIFICATION: Final = {
    **dict.fromkeys(
        (2, 18, 19, 20, 21, 24, 27, 33), (Kind.UNKNOWN_AUTHORITY, "certificate signed by unknown authority")
    ),
    9: (Kind.NOT_YET_VALID, "certificate is not yet valid"),
    10: (Kind.EXPIRED, "certificate has expired"),
}
_NAME_MISMATCHES: Final = (62, 64)
_NOT_TLS: Final = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"}
_PEM: Final = {
    "KEY_VALUES_MISMATCH": "the private key does not belong to the certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND": "no certificate in PEM form",
}
_PYTHON: Final = re.compile(
    r"\[Errno -?\d+\] |<[^>]*>?|\(_ssl\.c:\d+\)|\b[\w.]*(?:Error|Exception)\b:?|object at 0x\w+"
)


def fault(error: BaseException) -> Fault:
    """Any error of a request: of the machine, the network, TLS or HTTP."""
    root = _root(error)
    match root:
        case ssl.SSLCertVerificationError():
            found = _certificate(root)
        case ssl.SSLError():
            found = _tls(root)
        case socket.gaierror():
            found = Fault(Kind.OTHER, _lookup(root, getattr(error, "host", "")))
        case OSError():
            found = _os(root)
        case _:
            return _http(root)
    at = "" if isinstance(root, socket.gaierror) or not isinstance(error, aiohttp.ClientConnectorError) else _at(error)
    return Fault(found.kind, at + found.text)


def said(error: OSError) -> str:
    """An error of the machine: the file, if there is one, and what is wrong with it."""
    # One of several attempts to connect: their errors are in the text.
    number = error.errno or next(iter(re.findall(r"\[Errno (\d+)\]", str(error))), 0)
    if isinstance(error, TimeoutError):
        text = "i/o timeout"
    elif isinstance(error, ConnectionResetError):
        text = "connection reset by peer"
    elif int(number) > 0:
        text = os.strerror(int(number))
    else:
        text = cleaned(error.strerror or str(error))
    return f"{error.filename}: {_lower(text)}" if error.filename else _lower(text)


def cleaned(text: str) -> str:
    """A text of Python's or of a library's, in one line, without the names of classes and objects."""
    return " ".join(_PYTHON.sub("", text).split()) or "unknown error"


def _root(error: BaseException) -> BaseException:
    """The error below those that aiohttp has wrapped around it."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return error.certificate_error
        case aiohttp.ClientConnectorError():
            return error.os_error
        case aiohttp.ClientOSError() if isinstance(error.__cause__, OSError):
            return error.__cause__
    return error


def _at(error: aiohttp.ClientConnectorError) -> str:
    host = f"[{error.host}]" if ":" in error.host else error.host
    return f"{host}:{error.port}: "


def _certificate(error: ssl.SSLCertVerificationError) -> Fault:
    code, message = getattr(error, "verify_code", 0), getattr(error, "verify_message", str(error))
    if code in _NAME_MISMATCHES:
        name = re.search(r"not valid for '(.*)'", message)
        return Fault(Kind.WRONG_NAME, f"certificate is not valid for {name[1] if name else 'this host'}")
    if code in _VERIFICATION:
        return Fault(*_VERIFICATION[code])
    return Fault(Kind.OTHER, f"certificate is not valid: {_lower(cleaned(message))}")


def _tls(error: ssl.SSLError) -> Fault:
    reason = getattr(error, "reason", None) or ""  # OpenSSL's name; some errors have none
    if reason in _NOT_TLS:
        return Fault(Kind.NO_TLS, "the server does not speak TLS")
    if "UNEXPECTED_EOF" in reason:
        return Fault(Kind.CLOSED, "unexpected EOF in the TLS handshake")
    if "ALERT" in reason and re.search("CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE", reason):
        return Fault(Kind.CLIENT_REFUSED, f"the server refused the handshake: {reason.lower().replace('_', ' ')}")
    if reason in _PEM:
        return Fault(Kind.OTHER, _PEM[reason])
    if "PEM lib" in str(error):
        return Fault(Kind.OTHER, "no certificate or key in PEM form")
    return Fault(Kind.OTHER, "TLS: " + (reason.lower().replace("_", " ") or cleaned(str(error))))


def _lookup(error: socket.gaierror, host: str) -> str:
    gone = error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
    return f"lookup {host}: {'no such host' if gone else _lower(error.strerror or 'DNS did not answer')}"


def _os(error: OSError) -> Fault:
    closed = isinstance(error, (ConnectionResetError, BrokenPipeError))
    return Fault(Kind.CLOSED if closed else Kind.OTHER, said(error))


def _http(error: BaseException) -> Fault:
    match error:
        case aiohttp.ClientHttpProxyError():
            return Fault(Kind.PROXY, f"the proxy answered {error.status} {cleaned(error.message)}")
        case aiohttp.ServerDisconnectedError():
            return Fault(Kind.CLOSED, "EOF: the connection was closed before an answer")
        case aiohttp.ClientPayloadError() if re.search("not completed|Not enough data", str(error)):
            return Fault(Kind.OTHER, "unexpected EOF: the answer broke off")
        case aiohttp.ClientResponseError() if r"\x15\x03" in error.message:  # a TLS alert
            return Fault(Kind.TLS, "the server speaks TLS")
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return Fault(Kind.OTHER, "malformed HTTP response")
    return Fault(Kind.OTHER, cleaned(str(error)))


def _lower(text: str) -> str:
    """As the middle of a sentence: `No such file` becomes `no such file`, `DNS` stays."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text
