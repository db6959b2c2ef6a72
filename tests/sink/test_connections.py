"""Connections that are given up, and addresses that are tried in turn."""

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from shipper.sink.connections import FAILURES, Connections, InTurn


class Names(AbstractResolver):
    """A name server for one name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


class Place:
    """The old and the new place of one name, on two addresses of the loopback network and one port."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int]] = []
        self.statuses = {"127.0.0.1": 204, "127.0.0.2": 204}
        self.hang = asyncio.Event()
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        assert request.transport
        address = request.transport.get_extra_info("sockname")[0]
        if request.query.get("hang"):
            await self.hang.wait()
        self.answers.append((address, self.statuses[address]))
        return web.Response(status=self.statuses[address])

    @property
    def last(self) -> str:
        return self.answers[-1][0]


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    place = Place()
    app = web.Application()
    app.router.add_post("/", place.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    place.port = runner.addresses[0][1]
    await web.TCPSite(runner, "127.0.0.2", place.port).start()
    yield place
    place.hang.set()
    await runner.cleanup()


def opened(names: Names) -> Connections:
    return Connections(lambda connector: aiohttp.ClientSession(connector=connector), names)


async def post(connections: Connections, place: Place, query: str = "") -> int:
    pool = connections.begin()
    try:
        async with pool.session.post(f"http://loki.example:{place.port}/{query}") as response:
            status = response.status
    finally:
        if session := connections.end(pool, failed=status >= 500):
            await session.close()
    return status


async def test_a_name_that_leads_elsewhere_is_followed_after_failures_in_a_row(place: Place) -> None:
    names = Names("127.0.0.1")
    connections = opened(names)
    assert await post(connections, place) == 204
    names.addresses, place.statuses["127.0.0.1"] = ["127.0.0.2"], 503
    for _ in range(FAILURES):
        assert await post(connections, place) == 503
    assert place.last == "127.0.0.1", "an open connection is used while it may be right"
    assert await post(connections, place) == 204
    assert place.last == "127.0.0.2"
    await connections.close()


async def test_failures_with_success_between_keep_the_connection(place: Place) -> None:
    names = Names("127.0.0.1")
    connections = opened(names)
    for _ in range(3 * FAILURES):
        place.statuses["127.0.0.1"] = 503 if place.statuses["127.0.0.1"] == 204 else 204
        await post(connections, place)
    assert names.asked == 1
    await connections.close()


async def test_several_addresses_are_tried_in_turn(place: Place) -> None:
    place.statuses["127.0.0.1"] = 503
    connections = opened(Names("127.0.0.1", "127.0.0.2"))
    for _ in range(FAILURES):
        assert await post(connections, place) == 503
    assert await post(connections, place) == 204
    await connections.close()


async def test_a_push_under_way_keeps_its_connection(place: Place) -> None:
    connections = opened(Names("127.0.0.1"))
    hanging = asyncio.create_task(post(connections, place, "?hang=1"))
    await asyncio.sleep(0)
    place.statuses["127.0.0.1"] = 503
    for _ in range(FAILURES):
        await post(connections, place)
    place.statuses["127.0.0.1"] = 204
    place.hang.set()
    assert await hanging == 204
    await connections.close()


async def test_each_lookup_puts_another_address_first() -> None:
    resolver = InTurn(Names("a", "b", "c"))
    found = [[one["host"] for one in await resolver.resolve("loki.example")] for _ in range(4)]
    assert found == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]
