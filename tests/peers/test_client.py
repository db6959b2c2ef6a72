"""One request over real HTTP: what comes back as answers, and what as which failure."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port

from shipper.config import ConfigError, PeersConfig, Seconds, TlsConfig
from shipper.peers.client import connected
from shipper.peers.errors import NoAnswer
from shipper.peers.timing import PEER_TIMING, PeerTiming
from shipper.pipeline.workloads import Answer
from shipper.who.protocol import PATH
from tests.plain_ca import PlainCa

AT = 1_000
ASKED = [("10.0.1.20", AT)]
POD = {"kind": "pod", "namespace": "default", "pod": "legacy-client", "from": 900, "to": 1_100}
TOLD = json.dumps({"since": 1, "known": 2_000, "answers": [POD]}).encode()
ANSWER = Answer({"peer_kind": "pod", "peer_namespace": "default", "peer_pod": "legacy-client"}, 900, 1_101)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, path: str = PATH, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a server whose `path` is handled so."""
    app = web.Application()
    app.router.add_post(path, handler)
    server = TestServer(app, scheme="https" if tls else "http")
    await server.start_server(ssl=tls, shutdown_timeout=0.1)
    try:
        yield str(server.make_url("/"))
    finally:
        await server.close()


async def ask(url: str, timing: PeerTiming = PEER_TIMING, **config: Any) -> list[Answer | None]:
    async with connected(PeersConfig(url=url, **config), timing) as asks:
        return list(await asks(ASKED))


async def failure(url: str, timing: PeerTiming = PEER_TIMING, **config: Any) -> NoAnswer:
    with pytest.raises(NoAnswer) as failed:
        await ask(url, timing, **config)
    assert str(failed.value).isprintable()
    return failed.value


def always(status: int = 200, body: bytes = TOLD, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    return handler


@pytest.mark.parametrize("below", ["", "/gateway/directory"])
async def test_questions_go_out_and_answers_come_in(below: str) -> None:
    seen: list[tuple[Any, str, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((await request.json(), request.content_type, request.headers.get("Authorization")))
        return web.Response(body=TOLD)

    async with serving(handler, below + PATH) as url:
        assert await ask(url.rstrip("/") + below) == [ANSWER]
        assert await ask(url.rstrip("/") + below + "/") == [ANSWER]
    assert seen == [([{"ip": "10.0.1.20", "at": AT}], "application/json", None)] * 2


def test_the_path_that_is_added_is_the_one_that_the_url_must_not_have() -> None:
    with pytest.raises(ConfigError, match=PATH):
        PeersConfig(url=f"http://directory{PATH}")


async def test_the_token_is_sent_and_read_again_when_it_changes(tmp_path: Path) -> None:
    token, seen = tmp_path / "token", list[str | None]()

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(body=TOLD)

    token.write_text("first\n")
    async with (
        serving(handler) as url,
        connected(PeersConfig(url=url, bearer_token_file=str(token)), PEER_TIMING) as asks,
    ):
        await asks(ASKED)
        token.write_text("the second\n")
        await asks(ASKED)
    assert seen == ["Bearer first", "Bearer the second"]


async def test_without_its_token_nothing_is_asked(tmp_path: Path) -> None:
    failed = await failure("http://127.0.0.1:1", bearer_token_file=str(tmp_path / "none"))
    assert (failed.outcome, failed.reason) == ("configuration", "away")
    assert "none: no such file" in str(failed)


@pytest.mark.parametrize("status", [204, 400, 401, 403, 404, 413, 500, 503])
async def test_a_refusal_is_told_by_its_status_and_what_it_says(status: int) -> None:
    body = b"" if status == 204 else b'{"error": "why\\nnot"}'
    async with serving(always(status, body)) as url:
        failed = await failure(url)
    assert (failed.outcome, failed.reason) == (str(status), "refused")
    assert str(failed) == (f"status {status}: why not" if body else f"status {status}")


@pytest.mark.parametrize("body", [b"<html>" + b"x" * 100_000, b"\xff", b"[]", b'{"error": 3}'])
async def test_of_a_page_that_is_no_directorys_only_the_status_is_said(body: bytes) -> None:
    async with serving(always(502, body)) as url:
        assert str(await failure(url)) == "status 502"


async def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(tmp_path: Path) -> None:
    token, seen = tmp_path / "token", list[str]()
    token.write_text("secret")

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(body=TOLD)

    async with serving(elsewhere) as other, serving(always(307, b"", Location=other)) as url:
        failed = await failure(url, bearer_token_file=str(token))
    assert seen == []
    assert failed.outcome == "307"
    assert f"which leads to {other} and is not followed" in str(failed)


async def test_a_body_without_end_is_given_up() -> None:
    sent = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * 10_000)
            sent += 10_000

    async with serving(handler) as url:
        failed = await failure(url)
    assert (failed.outcome, failed.reason) == ("bad_answer", "bad_answer")
    assert PEER_TIMING.body <= sent < 20 * PEER_TIMING.body


async def test_what_is_compressed_though_it_was_not_to_be_is_not_unpacked() -> None:
    async with serving(always(200, gzip.compress(TOLD), **{"Content-Encoding": "gzip"})) as url:
        failed = await failure(url)
    assert failed.outcome == "bad_answer"
    assert "not a directory's answer" in str(failed)


@pytest.mark.parametrize("after", ["headers", "body"])
async def test_silence_has_an_end(after: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if after == "body":
            await response.prepare(request)
            await response.write(TOLD[:10])
        await asyncio.Event().wait()
        return response

    async with serving(handler) as url:
        failed = await failure(url, replace(PEER_TIMING, response=0.05), timeout=Seconds(0.05))
    assert (failed.outcome, failed.reason) == ("timeout", "timeout")
    assert str(failed) == "no whole answer within 0.05 s"


async def test_where_nobody_listens_the_directory_is_away() -> None:
    failed = await failure(f"http://127.0.0.1:{unused_port()}")
    assert (failed.outcome, failed.reason) == ("connection", "away")
    assert "connection refused" in str(failed)


async def test_a_connection_that_breaks_is_no_answer() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async with serving(handler) as url:
        assert (await failure(url)).outcome == "connection"


async def test_a_server_that_speaks_something_else_is_no_answer() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"220 smtp ready\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        failed = await failure("http://{}:{}".format(*server.sockets[0].getsockname()))
    assert (failed.outcome, str(failed)) == ("connection", "malformed HTTP response")


async def test_a_directory_with_tls_is_held_against_its_authority_and_name(tmp_path: Path) -> None:
    ca = PlainCa(tmp_path)
    trust = TlsConfig(ca_file=str(ca.ca_file), server_name="directory.example")
    async with serving(always(), tls=ca.server("directory.example")) as url:
        assert await ask(url, tls_config=trust) == [ANSWER]
        other = await failure(url, tls_config=TlsConfig(ca_file=str(ca.ca_file), server_name="other.example"))
        unknown = await failure(url)
    assert {other.outcome, unknown.outcome} == {"connection"}
    assert "certificate is not valid for other.example" in str(other)
    assert "unknown authority" in str(unknown)
