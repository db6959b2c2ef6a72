"""The server: where it cannot be had, and what all its answers have in common."""

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from shipper.config import ServerConfig
from shipper.server import HEADERS, application, probes, serving


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1", "address already in use: another agent, or set server.http_listen_port"),
        ("192.0.2.1", "cannot assign requested address: set server.http_listen_address"),
        ("nowhere.invalid", ": set server.http_listen_address"),
    ],
)
async def test_an_address_that_cannot_be_had_names_its_setting(address: str, said: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = ServerConfig(http_listen_address=address, http_listen_port=port)
        with pytest.raises(OSError, match=f"^cannot listen on {address} port {port}: .*{said}$"):
            async with serving(config, []):
                pass


@pytest.fixture
async def client() -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(application(probes(CollectorRegistry(), lambda: False)))) as client:
        yield client


async def test_an_unknown_path_is_told_which_there_are(client: TestClient[web.Request, web.Application]) -> None:
    async with client.get("/<script>") as response:
        assert response.status == 404
        assert response.content_type == "text/plain"
        assert await response.text() == "there is no such page; there are: /metrics, /ready, /healthz\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_nothing_can_be_changed(client: TestClient[web.Request, web.Application], method: str) -> None:
    async with client.request(method, "/healthz") as response:
        assert (response.status, response.headers["Allow"]) == (405, "GET,HEAD")


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/ready", 503), ("/metrics", 200), ("/none", 404)])
async def test_every_answer_has_the_headers(
    client: TestClient[web.Request, web.Application], path: str, status: int
) -> None:
    async with client.head(path) as response:
        assert response.status == status
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
