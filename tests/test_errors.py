"""Errors in the words of the field, whatever Python and its libraries make of them."""

import errno
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from shipper.errors import Kind, cleaned, fault, said

KEY = ConnectionKey("loki", 3100, True, ssl.create_default_context(), None, None, None)


def connector(error: OSError, host: str = "loki") -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY._replace(host=host), error)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 3100)"), "connection refused"),
        (OSError(errno.EHOSTUNREACH, "Connect call failed"), "no route to host"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] x"), "connection refused"),
        (ConnectionResetError(), "connection reset by peer"),
        (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), "connection reset by peer"),
        (TimeoutError(errno.ETIMEDOUT, "Connect call failed"), "i/o timeout"),
        (aiohttp.ServerTimeoutError("Timeout"), "i/o timeout"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), "/data/x: no space left on device"),
        (OSError("cannot listen on x"), "cannot listen on x"),
        (OSError(), "unknown error"),
    ],
)
def test_an_error_of_the_machine(error: OSError, text: str) -> None:
    assert said(error) == fault(error).text == text


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (connector(ConnectionRefusedError(111, "x")), Kind.OTHER, "loki:3100: connection refused"),
        (connector(ConnectionRefusedError(111, "x"), "::1"), Kind.OTHER, "[::1]:3100: connection refused"),
        (connector(ConnectionResetError()), Kind.CLOSED, "loki:3100: connection reset by peer"),
        (connector(socket.gaierror(socket.EAI_NONAME, "Name or ...")), Kind.OTHER, "lookup loki: no such host"),
        (connector(socket.gaierror(socket.EAI_AGAIN, "Temporary ...")), Kind.OTHER, "lookup loki: temporary ..."),
        (connector(ssl.SSLError(1, "[SSL] x (_ssl.c:1006)")), Kind.OTHER, "loki:3100: TLS: [SSL] x"),
        (connector(ssl.SSLCertVerificationError(1, "x")), Kind.OTHER, "loki:3100: certificate is not valid: x"),
        (aiohttp.ServerDisconnectedError(), Kind.CLOSED, "EOF: the connection was closed before an answer"),
        (ValueError("a header that cannot be sent"), Kind.OTHER, "a header that cannot be sent"),
        (KeyError(), Kind.OTHER, "unknown error"),
    ],
)
def test_an_error_of_a_request(error: Exception, kind: Kind, text: str) -> None:
    assert fault(error) == (kind, text)


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("WRONG_VERSION_NUMBER", Kind.NO_TLS),
        ("RECORD_LAYER_FAILURE", Kind.NO_TLS),
        ("TLSV1_ALERT_UNKNOWN_CA", Kind.CLIENT_REFUSED),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", Kind.CLIENT_REFUSED),
        ("UNEXPECTED_EOF_WHILE_READING", Kind.CLOSED),
        ("TLSV1_ALERT_PROTOCOL_VERSION", Kind.OTHER),
    ],
)
def test_an_error_of_tls_that_comes_with_the_answer(reason: str, kind: Kind) -> None:
    below = ssl.SSLError(1, f"[SSL: {reason}] x (_ssl.c:2580)")
    below.reason = reason
    error = aiohttp.ClientOSError(1, str(below))
    error.__cause__ = below
    found = fault(error)
    assert found.kind is kind
    assert "_" not in found.text


@given(
    st.text(),
    st.sampled_from(["<ssl.SSLContext object at 0x7f>", "[Errno 98] ", "aiohttp.ClientError: ", "(_ssl.c:1)"]),
)
def test_nothing_of_python_is_left(text: str, python: str) -> None:
    left = cleaned(f"{text} {python}")
    assert not any(sign in left for sign in ("<ssl", "Errno 98", "ClientError", "_ssl.c:1)", "\n"))
