"""What an operator reads when no answer comes: what a Go program would say, the setting, and nothing of Python."""

import asyncio
import builtins
import datetime
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from shipper.config import TlsConfig
from shipper.entries import Entries, push_body
from shipper.metrics import Metrics
from shipper.model import Columns
from shipper.sink.client import Client
from tests.sink.harness import Settings
from tests.tickets import ticket

BODY = push_body('{app="a"}', [Entries('{app="a"}', Columns([1], [b"line"]), ticket())])
CLASSES = {
    name
    for module in (builtins, aiohttp, ssl, asyncio)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
PAST, FUTURE = datetime.datetime(2021, 1, 1), datetime.datetime(2101, 1, 1)  # noqa: DTZ001

Say = Callable[..., Any]


def is_plain(text: str) -> bool:
    """Whether it holds nothing of Python's."""
    words = set(re.findall(r"\w+", text))
    return not (re.search(r"[<\n]|object at 0x|Errno|_ssl\.c|ssl:|\(\d+, '", text) or words & CLASSES)


@pytest.fixture
def said(settings: Settings, metrics: Metrics) -> Say:
    """What a push to this URL ends with."""

    async def saying(url: str, **tls: Any) -> str:
        async with Client(settings(url=f"{url}/loki/api/v1/push", tls_config=TlsConfig(**tls)), metrics) as client:
            error = await client.push(BODY)
        assert is_plain(str(error)), error
        return str(error)

    return saying


@asynccontextmanager
async def server(answer: bytes | None, tls: ssl.SSLContext | None = None, *, reads: bool = True) -> AsyncIterator[str]:
    """Host and port of one that answers so; None: it resets the connection."""

    async def handle(request: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reads:
            await request.readuntil(b"\r\n\r\n")
        if answer is None:
            writer.transport.abort()
        else:
            writer.write(answer)
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with listener:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"


async def test_nobody_listens(said: Say) -> None:
    assert await said("http://127.0.0.1:1") == "connection: 127.0.0.1:1: connection refused"
    assert re.fullmatch(r"connection: localhost:1: connection refused", await said("http://localhost:1"))


async def test_there_is_no_such_host(said: Say) -> None:
    text = await said("http://loki.invalid:3100")
    # Without a resolver the answer is another.
    assert re.fullmatch("connection: lookup loki.invalid: (no such host|temporary failure in name resolution)", text)


REST = "status 500, and what follows cannot be read: "


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            b"",
            "EOF: the connection was closed before an answer (if it is a TLS port, the URL must begin with https://)",
        ),
        (b"HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\nhalf", REST + "unexpected EOF: the answer broke off"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "malformed HTTP response"),
        (b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", REST + "malformed HTTP response"),
        (
            b"\x15\x03\x01\x00\x02\x02\x46",
            "the server speaks TLS (a TLS port behind http://: the URL must begin with https://)",
        ),
    ],
)
async def test_an_answer_that_is_none(said: Say, answer: bytes, text: str) -> None:
    async with server(answer) as at:
        assert await said(f"http://{at}") == f"connection: {text}"


async def test_the_connection_is_reset(said: Say) -> None:
    async with server(None, reads=False) as at:
        assert re.match("connection: (connection reset by peer|EOF)", await said(f"http://{at}"))


async def test_plain_http_stands_behind_https(said: Say) -> None:
    async with server(b"HTTP/1.1 400 Bad Request\r\n\r\n", reads=False) as at:
        text = f"{at}: the server does not speak TLS (plain HTTP behind https://: the URL must begin with http://)"
        assert await said(f"https://{at}") == f"connection: {text}"


@pytest.mark.parametrize(
    ("until", "trusted", "name", "text"),
    [
        (None, False, "loki.example", "certificate signed by unknown authority (set tls_config.ca_file"),
        (None, True, "else.example", "certificate is not valid for else.example (set tls_config.server_name"),
        (None, True, "", "certificate is not valid for 127.0.0.1 (set tls_config.server_name"),
        (PAST, True, "loki.example", "certificate has expired (renew it"),
        (FUTURE, True, "loki.example", "certificate is not yet valid (set the clock"),
    ],
)
async def test_a_certificate_is_not_accepted(
    said: Say, tmp_path: Path, until: datetime.datetime | None, trusted: bool, name: str, text: str
) -> None:
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("loki.example", not_before=until and until - datetime.timedelta(365), not_after=until).configure_cert(
        context
    )
    (tmp_path / "ca.pem").write_bytes((ca if trusted else trustme.CA()).cert_pem.bytes())
    async with server(b"HTTP/1.1 204 X\r\n\r\n", context) as at:
        answer = await said(f"https://{at}", ca_file=str(tmp_path / "ca.pem"), server_name=name)
    assert answer.startswith(f"connection: {at}: {text}")


async def test_a_client_certificate_is_wanted(said: Say, tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("loki.example").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem.bytes())
    async with server(b"HTTP/1.1 204 X\r\n\r\n", context) as at:
        answer = await said(f"https://{at}", ca_file=str(tmp_path / "ca.pem"), server_name="loki.example")
    assert "tls_config.cert_file and tls_config.key_file" in answer


async def test_a_proxy_is_named(said: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://us:secret@127.0.0.1:1")
        text = await said(f"{scheme}://loki.invalid")
        assert text == "connection: through the proxy 127.0.0.1:1: 127.0.0.1:1: connection refused"
    async with server(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n") as at:
        monkeypatch.setenv("https_proxy", f"http://{at}")
        text = await said("https://loki.invalid")
    assert text == (
        f"connection: through the proxy {at}: the proxy answered 407 Proxy Authentication Required "
        "(check HTTP_PROXY, HTTPS_PROXY and NO_PROXY)"
    )


async def test_files_that_cannot_be_read(said: Say, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    text = await said("https://127.0.0.1:1", ca_file=str(tmp_path / "ca.pem"))
    assert text == f"connection: tls_config.ca_file {tmp_path}/ca.pem: no certificate in PEM form"
