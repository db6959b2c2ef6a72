"""`shipper tap`, against a real server."""

import asyncio
import io
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lab.lines import timed_out
from shipper.config import ConfigError
from shipper.pages.routes import routes
from shipper.server import application
from shipper.tap.command import tap_url, watch
from shipper.tap.events import ENTRY, LOST, Event
from shipper.tap.show import row, shown
from tests.pages.made import Made

SAN = "spiffe://cluster.local/ns/shop/sa/legacy"
REFUSED = {
    "start_time": "2026-11-30T10:00:00.123Z", "response_flags": "-", "response_code": 0,
    "downstream_peer_uri_san": SAN,
    "downstream_transport_failure_reason":
    "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
}  # fmt: skip
EVENT = {
    "labels": {"app": "payment", "namespace": "shop"},
    "line": json.dumps(REFUSED),
    "timestamp": "2026-11-30T10:00:00.123456789Z",
}


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("localhost:9080", "http://localhost:9080/tap"),
        ("http://localhost:9080/", "http://localhost:9080/tap"),
        ("http://localhost:9080/tap", "http://localhost:9080/tap"),
        ("https://gate/node-1/", "https://gate/node-1/tap"),
        ("[::1]:9080", "http://[::1]:9080/tap"),
    ],
)
def test_an_address_is_written_as_people_do(address: str, url: str) -> None:
    assert tap_url(address) == url


@pytest.mark.parametrize("address", ["", "ftp://a", "http://", "http://[", "a:b", "http://a:0"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(ConfigError, match="expected the agent's address, such as http://localhost:9080"):
        tap_url(address)


# -- what is printed


def test_a_row_says_when_who_whom_and_why() -> None:
    found = row(EVENT, 120, color=False).split()
    assert found == ["10:00:00.123", "shop/legacy", "→", "shop/payment", "plaintext"]
    assert "\x1b[31m" in row(EVENT, 120, color=True)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_row_fits_its_terminal(width: int) -> None:
    long = {**REFUSED, "downstream_peer_uri_san": "spiffe://" + "long/" * 40}
    for line in (json.dumps(long), "x" * 300):
        assert len(row({**EVENT, "line": line}, width, color=False)) <= width


@pytest.mark.parametrize("name", ["\x1b[2J", "\x1b]0;x\x07", "\u202e"])
def test_no_line_steers_the_terminal(name: str) -> None:
    for line in (name, json.dumps({**REFUSED, "downstream_peer_uri_san": name})):
        assert row({**EVENT, "line": line}, 120, color=False).isprintable()


def test_json_is_a_line_each_and_loses_nothing() -> None:
    out = io.StringIO()
    show = shown(out, "json")
    show(Event(ENTRY, EVENT))
    show(Event(LOST, 7))
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [EVENT, {"lost": 7}]


def test_text_says_what_was_left_out() -> None:
    out = io.StringIO()
    shown(out, "text")(Event(LOST, 7))
    assert "7 more were kept" in out.getvalue()


# -- where the agent is not as it should be


async def said(handler: Callable[[web.Request], web.StreamResponse], path: str = "/tap") -> tuple[int, str]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return handler(request)

    app, words = web.Application(), list[str]()
    app.router.add_get("/tap", handle)
    async with TestServer(app) as server:
        code = await watch(str(server.make_url(path)), lambda event: None, words.append)
    return code, "\n".join(words)


async def test_an_agent_that_shows_nothing_says_what_to_set() -> None:
    made, words = Made("server: {http_listen_address: 0.0.0.0}"), list[str]()
    async with TestServer(application(routes(made.facts))) as server:
        url = str(server.make_url("/tap"))
        assert await watch(url, lambda event: None, words.append) == 1
    assert words == [f"{url}: log lines are not shown here: set server.show_lines: true, or listen on 127.0.0.1"]


async def test_another_server_is_told_from_an_agent() -> None:
    code, words = await said(lambda _: web.Response(text="<html>", content_type="text/html"))
    assert (code, words.endswith("this is no agent's tap: HTTP 200, text/html")) == (1, True)
    code, words = await said(lambda _: web.Response(), "/other")
    assert (code, "HTTP 404" in words) == (1, True)


async def test_nobody_there_is_said_as_the_network_says_it() -> None:
    words = list[str]()
    assert await watch("http://127.0.0.1:1/tap", lambda event: None, words.append) == 1
    assert words == ["http://127.0.0.1:1/tap: 127.0.0.1:1: connection refused"]


async def test_an_agent_that_goes_away_is_said_and_asked_again() -> None:
    made, words, seen = Made(), asyncio.Queue[str](), asyncio.Queue[Event]()
    async with asyncio.timeout(10), TestServer(application(routes(made.facts))) as server:
        url = str(server.make_url("/tap"))
        watching = asyncio.create_task(watch(url, seen.put_nowait, words.put_nowait, first_wait=0.01))
        for number in (1, 2):
            tap = await made.watched()
            made.put(timed_out(number), app="a")
            assert json.loads((await seen.get()).data["line"])["request_id"] == str(number)
            tap.close()  # as the agent's stop does
            assert await words.get() == ("the agent has stopped; trying again, and what is kept meanwhile is not shown")
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


@pytest.mark.parametrize("end", ["interrupt", "closed pipe"])
async def test_it_ends_quietly(end: str) -> None:
    made, (out, into) = Made(), os.pipe()
    async with asyncio.timeout(10), TestServer(application(routes(made.facts))) as server:
        command = [sys.executable, "-m", "shipper", "tap", str(server.make_url("/"))]
        process = await asyncio.create_subprocess_exec(*command, stdout=into, stderr=PIPE)
        os.close(into)
        await made.watched()
        made.put(timed_out(1), app="a")
        with os.fdopen(out, "rb") as reading:
            assert json.loads(await asyncio.to_thread(reading.readline))["labels"] == {"app": "a"}
            if end == "interrupt":
                process.send_signal(signal.SIGINT)
                assert await process.wait() == 130
        made.put(timed_out(2), app="a")
        _, err = await process.communicate()
    assert (process.returncode, err) == (130 if end == "interrupt" else 0, b"")
