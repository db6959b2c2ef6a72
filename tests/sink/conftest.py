"""Fixtures of the sink's tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from shipper.config import BackoffConfig, ClientConfig, Seconds
from shipper.metrics import Metrics
from shipper.sink.client import Client
from shipper.sink.schedule import LINGER
from shipper.sink.sender import Sender
from tests.sink.clock import Clock
from tests.sink.harness import Harness, Settings, Start
from tests.sink.loki import Loki


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
def settings(loki: Loki) -> Settings:
    def make(**changes: Any) -> ClientConfig:
        quick = BackoffConfig(min_period=Seconds(0.002), max_period=Seconds(0.01))
        usual: dict[str, Any] = {"url": loki.url, "batchwait": Seconds(0), "backoff_config": quick}
        return ClientConfig(**usual | changes)

    return make


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    clock.drive(asyncio.get_running_loop(), monkeypatch)
    return clock


@pytest.fixture
def start(metrics: Metrics, settings: Settings) -> Start:
    """A running sender; at the end it is closed, and every entry was settled at most once."""

    @asynccontextmanager
    async def starting(*, hold_for: float = 180.0, linger: float = LINGER, **changes: Any) -> AsyncIterator[Harness]:
        config = settings(**changes)
        harness = Harness(metrics)
        async with Client(config, metrics) as client, asyncio.TaskGroup() as group:
            harness.sender = Sender(
                config,
                client.push,
                metrics,
                before_push=harness.before_push,
                quarantine=harness.write,
                hold_for=hold_for,
                linger=linger,
            )
            group.create_task(harness.sender.run())
            yield harness
            await harness.sender.close(0)
        assert len(harness.lines) == len(set(harness.lines))
        assert len(harness.lines) + harness.pending == harness.put_total

    return starting
