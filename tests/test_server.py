"""The agent's pages, asked as the kubelet, Prometheus and strangers do."""

import asyncio
import json

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from shipper import server as server_module
from shipper.config import ServerConfig
from shipper.server import serving


class Told:
    """What the agent would tell."""

    def __init__(self):
        self.is_ready = False
        self.targets = {"targets": ["é"]}
        self.registry = CollectorRegistry()
        Gauge("answer", "To all", registry=self.registry).set(42)


@pytest.fixture
def told():
    return Told()


@pytest.fixture
async def port(told):
    config = ServerConfig(http_listen_address="127.0.0.1", http_listen_port=0)
    async with serving(config, told.registry, lambda: told.is_ready, lambda: told.targets) as port:
        yield port


@pytest.fixture
async def session(port):
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session


async def raw(port, request):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_each_page(session, told):
    for _ in range(2):  # a client may think that the connection stays
        async with session.get("/metrics") as metrics:
            assert "answer 42.0" in await metrics.text()
            assert metrics.content_type == "text/plain"
        async with session.get("/targets?pretty") as targets:
            assert json.loads(await targets.text()) == told.targets
            assert targets.content_type == "application/json"
        async with session.get("/healthz") as health:
            assert (health.status, await health.text()) == (200, "ok\n")


async def test_ready_is_said_once_it_is(session, told):
    async with session.get("/ready") as answer:
        assert answer.status == 503
    told.is_ready = True
    async with session.get("/ready") as answer:
        assert answer.status == 200


async def test_what_there_is_not(session):
    async with session.get("/") as answer:
        assert answer.status == 404
    async with session.post("/metrics", data=b"x") as answer:
        assert answer.status == 405
    async with session.head("/healthz") as answer:
        assert (answer.status, answer.content_length, await answer.read()) == (200, 3, b"")


async def test_a_page_that_fails_takes_nothing_with_it(session, told, caplog):
    told.targets = object()
    async with session.get("/targets") as answer:
        assert answer.status == 500
    assert "/targets" in caplog.text
    async with session.get("/healthz") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("request_", [b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n"])
async def test_what_is_no_http_gets_some_answer(port, request_):
    assert (await raw(port, request_)).startswith(b"HTTP/1.1 404 ")


async def test_what_never_ends_is_hung_up_on(port):
    assert await raw(port, b"GET / HTTP/1.1\r\nX: " + b"x" * (1 << 20)) == b""


async def test_who_asks_nothing_is_hung_up_on(port, monkeypatch):
    monkeypatch.setattr(server_module, "WITHIN", 0.01)
    assert await raw(port, b"GET /metrics") == b""


async def test_an_open_connection_does_not_hold_up_the_stop(told):
    config = ServerConfig(http_listen_address="127.0.0.1", http_listen_port=0)
    async with serving(config, told.registry, lambda: True, dict) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /hea")
        await asyncio.sleep(0.01)
    async with asyncio.timeout(20):
        assert await reader.read() == b""
    writer.close()


async def test_a_port_that_is_taken_is_told(port, told):
    config = ServerConfig(http_listen_address="127.0.0.1", http_listen_port=port)
    with pytest.raises(OSError, match="in use"):
        async with serving(config, told.registry, lambda: True, dict):
            pass
