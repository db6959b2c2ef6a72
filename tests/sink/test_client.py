"""One push, and whatever the network does to it."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from shipper import __version__
from shipper.config import Seconds, TlsConfig
from shipper.entries import Entries, push_body
from shipper.metrics import Metrics
from shipper.model import Columns
from shipper.sink.answers.refusal import TEXT_LIMIT
from shipper.sink.answers.status import CutOff, PushError, TenantLimited, Unavailable
from shipper.sink.client import Client
from tests.plain_ca import PlainCa, check_as_python_3_13_does
from tests.sink.harness import Settings
from tests.sink.loki import Loki, Received
from tests.tickets import ticket

BODY = push_body('{app="a"}', [Entries('{app="a"}', Columns([1], [b"line"]), ticket())])


Pushing = Callable[..., Awaitable[PushError | None]]


@pytest.fixture
def push(settings: Settings, metrics: Metrics) -> Pushing:
    async def pushing(times: int = 1, **changes: Any) -> PushError | None:
        async with Client(settings(**changes), metrics) as client:
            for _ in range(times):
                error = await client.push(BODY)
        return error

    return pushing


async def failing(pushing: Awaitable[PushError | None]) -> PushError:
    error = await pushing
    assert error is not None
    return error


async def test_what_loki_gets(push: Pushing, loki: Loki, metrics: Metrics) -> None:
    assert await push(tenant_id="ours", headers={"x-trace": "1"}) is None
    (received,) = loki.received
    assert received.lines == ["line"]
    assert received.headers["Content-Type"] == "application/x-protobuf"
    assert received.headers["User-Agent"] == f"mtls-shipper/{__version__}"
    assert received.headers["X-Scope-OrgID"] == "ours"
    assert received.headers["X-Trace"] == "1"
    assert "Authorization" not in received.headers
    assert metrics.registry.get_sample_value("shipper_push_bytes_total") == len(BODY)
    assert metrics.registry.get_sample_value("shipper_push_duration_seconds_count", {"status": "204"}) == 1


async def test_no_tenant_no_header(push: Pushing, loki: Loki) -> None:
    await push()
    assert "X-Scope-OrgID" not in loki.received[0].headers


async def test_a_token_that_is_not_there_yet(settings: Settings, metrics: Metrics, loki: Loki, tmp_path: Path) -> None:
    token = tmp_path / "token"
    async with Client(settings(bearer_token_file=str(token)), metrics) as client:
        error = await client.push(BODY)
        assert isinstance(error, Unavailable)
        assert "token" in error.text
        token.write_text("abc\n")
        assert await client.push(BODY) is None
    assert [push.headers["Authorization"] for push in loki.received] == ["Bearer abc"]


async def test_an_answer_is_translated(push: Pushing, loki: Loki) -> None:
    loki.reply = loki.answer(429, "slow down", Retry_After="7")
    error = await push()
    assert isinstance(error, TenantLimited)
    assert error.retry_after == 7


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 204 X\r\n\r\n", b"HTTP/1.1 429 X\r\nRetry-After: 1\r\nContent-Length: 4\r\n\r\nslow"]
)
async def test_one_connection_serves_push_after_push(push: Pushing, answer: bytes) -> None:
    connections, gone = 0, asyncio.Event()

    async def handle(request: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with suppress(asyncio.IncompleteReadError):  # the client has gone
            while True:
                length = re.search(rb"(?i)content-length: (\d+)", await request.readuntil(b"\r\n\r\n"))
                await request.readexactly(int(length[1]) if length else 0)
                writer.write(answer)
        writer.close()
        gone.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await push(times=5, url=f"http://127.0.0.1:{port}/loki/api/v1/push")
        await gone.wait()
    assert connections == 1


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("location", ["?again=1", "/loki/api/v1/push?again=1", "{url}?again=1"])
async def test_a_redirect_on_the_same_server_is_followed_with_the_same_bytes(
    push: Pushing, loki: Loki, status: int, location: str, caplog: pytest.LogCaptureFixture
) -> None:
    loki.script.append(loki.answer(status, "moved", Location=location.format(url=loki.url)))
    assert await push(tenant_id="ours") is None
    first, second = loki.received
    assert first.body == second.body
    assert second.headers["X-Scope-OrgID"] == "ours"
    assert f"redirects each push to {loki.url}, which is followed: set the URL to it" in caplog.text


async def test_a_redirect_is_followed_once(push: Pushing, loki: Loki) -> None:
    loki.reply = loki.answer(307, "", Location=loki.url)
    error = await failing(push())
    assert (error.cause, len(loki.received)) == ("http_307", 2)
    assert error.text == f"redirected to {loki.url}, which is not followed: set the URL to it if that is Loki's"


@pytest.mark.parametrize(
    ("status", "location", "shown"),
    [
        (307, "https://127.0.0.1/loki/api/v1/push", "https://127.0.0.1/loki/api/v1/push"),
        (308, "http://other.example/loki/api/v1/push", "http://other.example/loki/api/v1/push"),
        (307, "http://127.0.0.1:1/loki/api/v1/push", "http://127.0.0.1:1/loki/api/v1/push"),
        (302, "https://us:secret@sso.example/login?token=secret#secret", "https://sso.example/login"),
        (301, "{url}", "{url}"),
        (303, "{url}", "{url}"),
    ],
)
async def test_other_redirects_are_said_and_not_followed(
    push: Pushing, loki: Loki, status: int, location: str, shown: str
) -> None:
    loki.reply = loki.answer(status, "", Location=location.format(url=loki.url))
    error = await failing(push())
    assert (error.cause, len(loki.received)) == (f"http_{status}", 1)
    assert error.text.startswith(f"redirected to {shown.format(url=loki.url)}, which is not followed")


@pytest.mark.parametrize("location", [None, "", "mailto:us@example", "http://[", "http://x:99999/"])
async def test_a_redirect_to_nowhere(push: Pushing, loki: Loki, location: str | None) -> None:
    headers = {} if location is None else {"Location": location}
    loki.reply = loki.answer(307, "", **headers)
    assert str(await push()) == "http_307: a redirect that names no target"


async def test_a_login_page_is_not_loki(push: Pushing, loki: Loki, metrics: Metrics) -> None:
    page = "<!DOCTYPE html>\n<html><head><title>Acme SSO</title></head><body><input type=password></body></html>"
    loki.reply = lambda received: web.Response(text=page, content_type="text/html")
    error = await failing(push())
    assert isinstance(error, Unavailable)
    assert error.text.startswith('this is no answer of Loki\'s, which is 204: a login page ("Acme SSO")')
    assert metrics.registry.get_sample_value("shipper_push_bytes_total") == 0


async def test_a_200_without_a_body_is_what_some_gateways_answer(push: Pushing, loki: Loki) -> None:
    loki.reply = loki.answer(200)
    assert await push() is None


async def test_nobody_listens(push: Pushing) -> None:
    assert (await failing(push(url="http://127.0.0.1:1/loki/api/v1/push"))).cause == "connection"


async def test_an_answer_that_never_comes(push: Pushing, loki: Loki, metrics: Metrics) -> None:
    loki.reply = loki.after(loki.closing)
    assert (await failing(push(timeout=Seconds(0.02)))).cause == "timeout"
    assert metrics.registry.get_sample_value("shipper_push_duration_seconds_count", {"status": "0"}) == 1


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_a_body_that_stalls(push: Pushing, loki: Loki, status: int) -> None:
    received = asyncio.Event()

    async def handle(request: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        await request.readuntil(b"\r\n\r\n")
        answer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 1000\r\n\r\nwait".encode())
        await received.wait()
        answer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await failing(push(url=f"http://127.0.0.1:{port}/loki/api/v1/push", timeout=Seconds(0.05)))
        received.set()
    assert error.cause == "timeout"


@pytest.mark.parametrize(
    "answer",
    [
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 500 X\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
        b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 500 X\r\nRetry-After: \xff\xfe\r\nContent-Length: 4\r\n\r\n\xff\xfe\x00\x80",
        b"",
    ],
)
async def test_bytes_that_are_no_answer(push: Pushing, answer: bytes) -> None:
    async def handle(request: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert isinstance(await push(url=f"http://127.0.0.1:{port}/loki/api/v1/push"), Unavailable)


ODD = {
    "204 with a body": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    "204 with a body, unannounced": b"HTTP/1.1 204 No Content\r\n\r\nhello",
    "204, chunked": b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "204, chunked and empty": b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "204 without a reason": b"HTTP/1.1 204\r\n\r\n",
    "204 with bare newlines": b"HTTP/1.1 204 No Content\nServer: x\n\n",
    "204 after 100": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 X\r\n\r\n",
    "204 of HTTP/1.0": b"HTTP/1.0 204 X\r\n\r\n",
    "204 of another version": b"HTTP/2.0 204 X\r\n\r\n",
    "204, and its head is cut off": b"HTTP/1.1 204 No Content\r\nServer: ngi",
    "a cookie of 60 kB": b"HTTP/1.1 204 X\r\nSet-Cookie: " + b"x" * 60_000 + b"\r\n\r\n",
    "a thousand fields": b"HTTP/1.1 204 X\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1000)) + b"\r\n",
    "a head of 2 MB": b"HTTP/1.1 204 X\r\n" + b"X-Pad: " + b"x" * 2_000_000 + b"\r\n\r\n",
    "bytes that no field may have": b"HTTP/1.1 204 X\r\nX-\xff\x00 y: \x01\x02\r\nno field\r\n: x\r\n\r\n",
    "a folded field": b"HTTP/1.1 204 X\r\nX-Long: a\r\n b\r\n\tc\r\n\r\n",
    "two lengths": b"HTTP/1.1 204 X\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "two equal lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "equal lengths in one field": b"HTTP/1.1 200 OK\r\nContent-Length: 0, 0\r\n\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n\r\n",
    "chunked, and a length": b"HTTP/1.1 200 X\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@asynccontextmanager
async def answering(answer: bytes, *, at_once: int = 1 << 30) -> AsyncIterator[str]:
    """A server that answers each request with these bytes, so many in one packet, and then closes; its URL."""

    async def handle(request: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = re.search(rb"(?i)content-length: (\d+)", await request.readuntil(b"\r\n\r\n"))
        await request.readexactly(int(length[1]) if length else 0)
        for at in range(0, len(answer), at_once):
            writer.write(answer[at : at + at_once])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/loki/api/v1/push"


@pytest.mark.parametrize("name", ODD)
async def test_odd_answers_to_what_is_stored_are_read(push: Pushing, name: str) -> None:
    async with answering(ODD[name]) as url:
        assert await push(times=3, url=url) is None


@pytest.mark.parametrize("name", [name for name in ODD if len(ODD[name]) < 1000])
async def test_odd_answers_are_read_byte_by_byte(push: Pushing, name: str) -> None:
    async with answering(ODD[name], at_once=1) as url:
        assert await push(url=url) is None


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 503 X\r\nContent-Length: 100\r\n\r\nno", 503),
        (b"HTTP/1.1 200 X\r\nContent-Length: 100\r\n\r\nok", 200),
        (b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200),
        (b"HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", 200),
    ],
)
async def test_what_cannot_be_read_after_a_status_is_said_with_it(push: Pushing, answer: bytes, status: int) -> None:
    async with answering(answer) as url:
        error = await failing(push(url=url))
    assert isinstance(error, Unavailable)
    assert f"status {status}, and what follows cannot be read" in error.text


async def test_a_refusal_among_many_fields_is_understood(push: Pushing) -> None:
    fields = b"Set-Cookie: " + b"x" * 20_000 + b"\r\nRetry-After: 7\r\n" + b"Content-Length: 4\r\n" * 2
    async with answering(b"HTTP/1.1 429 X\r\n" + fields + b"\r\nslow") as url:
        error = await failing(push(url=url))
    assert isinstance(error, TenantLimited)
    assert (error.retry_after, "slow" in error.text) == (7, True)


async def test_a_connection_that_breaks_before_an_answer_is_told_from_one_that_is_not_made(
    push: Pushing, loki: Loki
) -> None:
    def cut_off(received: Received) -> web.StreamResponse:
        raise ConnectionResetError

    loki.reply = cut_off
    assert isinstance(await push(), CutOff)
    assert not isinstance(await push(url="http://127.0.0.1:1/loki/api/v1/push"), CutOff)


async def test_of_an_endless_answer_the_beginning_is_read(push: Pushing, loki: Loki) -> None:
    loki.reply = loki.answer(400, "x" * (1 << 20))
    error = await failing(push(times=2))
    assert len(error.text) == TEXT_LIMIT


async def test_a_proxy_is_taken_from_the_environment(
    push: Pushing, loki: Loki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", loki.url.replace("http://", "http://us:secret@"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert await push(url="http://loki.invalid/loki/api/v1/push") is None
    assert loki.received[0].headers["Host"] == "loki.invalid"
    assert "Proxy-Authorization" in loki.received[0].headers
    monkeypatch.setenv("no_proxy", "loki.invalid")
    assert (await failing(push(url="http://loki.invalid/loki/api/v1/push"))).cause == "connection"
    assert len(loki.received) == 1


async def test_networks_that_need_no_proxy_are_reached_without_one(
    push: Pushing, loki: Loki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", loki.url)
    monkeypatch.setenv("no_proxy", "192.0.2.0/24,[2001:db8::1]")
    for host in ("192.0.2.7", "[2001:db8::1]"):  # documentation only: nobody answers there
        assert isinstance(await push(url=f"http://{host}/loki/api/v1/push", timeout=Seconds(0.05)), Unavailable)
    assert loki.received == []
    assert await push(url="http://198.51.100.7/loki/api/v1/push") is None


# -- TLS


class Tls:
    """A TLS server that takes pushes, with files for its clients."""

    def __init__(self, ca: trustme.CA, folder: Path) -> None:
        self.ca = ca
        self.folder = folder
        self.url = ""
        self.clients: list[str] = []

    def file(self, name: str, *blobs: trustme.Blob) -> str:
        path = self.folder / name
        path.write_bytes(b"".join(blob.bytes() for blob in blobs))
        return str(path)

    async def push(self, request: web.Request) -> web.Response:
        await request.read()
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        self.clients.append(peer["subjectAltName"][0][1] if peer else "")
        return web.Response(status=204)


@pytest.fixture
async def tls(tmp_path: Path) -> AsyncIterator[Tls]:
    ca = trustme.CA()
    server = Tls(ca, tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("loki.example").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    app = web.Application()
    app.router.add_post("/loki/api/v1/push", server.push)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    server.url = f"https://127.0.0.1:{runner.addresses[0][1]}/loki/api/v1/push"
    yield server
    await runner.cleanup()


async def test_tls_with_a_ca_and_a_server_name(push: Pushing, tls: Tls) -> None:
    ca_file = tls.file("ca.pem", tls.ca.cert_pem)
    named = TlsConfig(ca_file=ca_file, server_name="loki.example")
    assert await push(url=tls.url, tls_config=named) is None
    wrong = await failing(push(url=tls.url, tls_config=TlsConfig(ca_file=ca_file)))
    assert wrong.cause == "connection"
    assert (await failing(push(url=tls.url))).cause == "connection"
    assert await push(url=tls.url, tls_config=TlsConfig(insecure_skip_verify=True)) is None


async def test_an_authority_without_key_usage_is_trusted_on_every_python(
    push: Pushing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_as_python_3_13_does(monkeypatch)
    ca = PlainCa(tmp_path)

    async def handle(request: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=ca.server("loki.example"))
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/loki/api/v1/push"
        assert await push(url=url, tls_config=TlsConfig(ca_file=str(ca.ca_file))) is None
        other = await failing(push(url=url, tls_config=TlsConfig(ca_file=str(ca.ca_file), server_name="else.example")))
        assert "certificate is not valid for else.example (set tls_config.server_name" in other.text


async def test_a_client_certificate_that_is_renewed_is_used(settings: Settings, metrics: Metrics, tls: Tls) -> None:
    def issue(name: str) -> tuple[str, str]:
        cert = tls.ca.issue_cert(name)
        return tls.file("cert.pem", *cert.cert_chain_pems), tls.file("key.pem", cert.private_key_pem)

    cert_file, key_file = issue("first.example")
    ca_file = tls.file("ca.pem", tls.ca.cert_pem)
    config = TlsConfig(ca_file=ca_file, server_name="loki.example", cert_file=cert_file, key_file=key_file)
    async with Client(settings(url=tls.url, tls_config=config), metrics) as client:
        assert await client.push(BODY) is None
        tls.file("cert.pem", *tls.ca.issue_cert("second.example").cert_chain_pems)  # its key comes later
        assert await client.push(BODY) is None
        issue("third.example")
        assert await client.push(BODY) is None
    assert tls.clients == ["first.example", "first.example", "third.example"]


async def test_a_certificate_that_is_not_there(push: Pushing, tls: Tls) -> None:
    error = await push(url=tls.url, tls_config=TlsConfig(ca_file="/nowhere/ca.pem"))
    assert isinstance(error, Unavailable)
    assert error.text == "/nowhere/ca.pem: no such file or directory"


async def test_tls_through_a_proxy_that_answers_oddly(push: Pushing, tls: Tls, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(tls.url.split(":")[2].split("/")[0])
    asked: list[bytes] = []

    async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            sink.write(data)
        sink.close()

    async def handle(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        asked.append(await client.readuntil(b"\r\n\r\n"))
        server, out = await asyncio.open_connection("127.0.0.1", port)
        back.write(b"HTTP/1.0 200 Connection established\r\nVia: " + b"x" * 10_000 + b"\r\n\r\n")
        with suppress(ConnectionError):
            await asyncio.gather(pipe(client, out), pipe(server, back))

    proxy = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        ca_file = tls.file("ca.pem", tls.ca.cert_pem)
        config = TlsConfig(ca_file=ca_file)
        assert await push(times=2, url="https://loki.example:443/loki/api/v1/push", tls_config=config) is None
    assert len(asked) == 1
    assert asked[0].startswith(b"CONNECT loki.example:443 ")
    assert len(tls.clients) == 2
