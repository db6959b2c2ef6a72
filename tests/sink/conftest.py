"""Loki's push endpoint, on the network's other side: it answers as a test tells it to."""

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import snappy
from aiohttp import web

from shipper.config import BackoffConfig, ClientConfig, Seconds
from shipper.metrics import Metrics
from shipper.push_pb2 import PushRequest

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Received:
    """A push as it came."""

    labels: str
    lines: list[str]
    times: list[int]
    body: bytes
    headers: Any


class Clock:
    """Stands still until a test moves it; the event loop's timers go by it too."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[asyncio.TimerHandle] = []

    def __call__(self) -> float:
        return self.now

    async def pass_by(self, seconds: float = 0.0) -> None:
        """What is to be done now is done, so much time passes, and then what is to be done by then."""
        for passed in (0.0, seconds):
            self.now += passed
            for _ in range(20):
                await asyncio.sleep(0)

    def timers(self) -> int:
        """How many timers the event loop holds that have not been cancelled."""
        return sum(not timer.cancelled() and timer.when() > self.now for timer in self._timers)

    def drive(self, loop: asyncio.AbstractEventLoop, patch: pytest.MonkeyPatch) -> None:
        """From now on the loop goes by this clock."""
        call_at = loop.call_at

        def noted(when: float, callback: Callable[..., object], *args: Any, **more: Any) -> asyncio.TimerHandle:
            self._timers.append(call_at(when, callback, *args, **more))
            return self._timers[-1]

        patch.setattr(loop, "time", self)
        patch.setattr(loop, "call_at", noted)


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
        finally:
            self.under_way -= 1


@pytest.fixture
async def loki() -> AsyncIterator[Loki]:
    loki = Loki()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/loki/api/v1/push", loki.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    loki.url = f"http://127.0.0.1:{runner.addresses[0][1]}/loki/api/v1/push"
    yield loki
    loki.closing.set()
    await runner.cleanup()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def settings(loki: Loki) -> Callable[..., ClientConfig]:
    """The client's section, with back-off in milliseconds."""

    def make(**changes: Any) -> ClientConfig:
        quick = BackoffConfig(min_period=Seconds(0.002), max_period=Seconds(0.01))
        return ClientConfig(**{"url": loki.url, "batchwait": Seconds(0), "backoff_config": quick} | changes)

    return make


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.drive(asyncio.get_running_loop(), monkeypatch)
    return clock
