"""Loki's push endpoint, on the network's other side: it answers as a test tells it to."""

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import snappy
from aiohttp import web

from shipper.push_pb2 import PushRequest
from shipper.times import SECOND


@dataclass(frozen=True)
class Received:
    """A push as it came."""

    labels: str
    lines: list[str]
    times: list[int]
    body: bytes
    headers: Mapping[str, str]


Reply = Callable[[Received], web.StreamResponse | Awaitable[web.StreamResponse]]


class Loki:
    """Answers pushes with what `script` holds, one each, and then with `reply`; keeps what it took."""

    def __init__(self) -> None:
        self.url = ""
        self.script: deque[Reply] = deque()
        self.reply: Reply = self.store
        self.received: list[Received] = []
        self.stored: list[str] = []
        self.under_way = 0
        self.most_under_way = 0
        self.closing = asyncio.Event()
        self._came = asyncio.Condition()

    @staticmethod
    def answer(status: int, text: str = "", **headers: str) -> Reply:
        """Store nothing, and answer this."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return lambda received: web.Response(status=status, text=text, headers=named)

    def store(self, received: Received) -> web.StreamResponse:
        """Store all."""
        self.stored += received.lines
        return web.Response(status=204)

    def after(self, gate: asyncio.Event, then: Reply | None = None) -> Reply:
        """Answer when the gate opens."""

        async def reply(received: Received) -> web.StreamResponse:
            await gate.wait()
            answer = (then or self.store)(received)
            return await answer if inspect.isawaitable(answer) else answer

        return reply

    async def pushes(self, number: int) -> list[Received]:
        """Wait until this many pushes came."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.received) >= number)
        return self.received

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        (stream,) = PushRequest.FromString(snappy.uncompress(body)).streams
        received = Received(
            stream.labels,
            [entry.line.decode() for entry in stream.entries],
            [entry.timestamp.seconds * SECOND + entry.timestamp.nanos for entry in stream.entries],
            body,
            request.headers.copy(),
        )
        self.received.append(received)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        async with self._came:
            self._came.notify_all()
        try:
            answer = (self.script.popleft() if self.script else self.reply)(received)
            return await answer if inspect.isawaitable(answer) else answer
        except ConnectionResetError:  # the test's way to break the connection
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        finally:
            self.under_way -= 1


def refusing(loki: Loki, status: int, text: str, *poison: str) -> Reply:
    """Refuse a push that holds one of these lines, and store others."""

    def reply(received: Received) -> web.StreamResponse:
        if set(poison) & set(received.lines):
            return web.Response(status=status, text=text)
        return loki.store(received)

    return reply
