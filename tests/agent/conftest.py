"""The whole agent, in this process: on real files, against a receiver that is as strict as Loki."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.containerd import LogWriter
from lab.loki import LokiReceiver
from shipper.agent import Agent, Options
from shipper.config import Config
from shipper.config.file import parse
from shipper.source.timing import Timing


@dataclass
class Node:
    """A node's logs, and what is needed to run agents on them."""

    root: Path
    positions: Path
    loki: LokiReceiver
    timing: Timing = field(default_factory=Timing)
    api: dict[str, Any] = field(default_factory=dict)  # how and when agents ask the Kubernetes API

    def config(self, *, clients: str = "", root: Path | None = None, scrape: str = "") -> Config:
        """As a user writes it; `scrape` is added to its section."""
        backoff = "backoff_config: {min_period: 10ms, max_period: 50ms}"
        text = f"""
server: {{http_listen_port: 0}}
positions: {{filename: {self.positions}}}
clients: {clients or f'[{{url: "{self.loki.url}", timeout: 5s, {backoff}}}]'}
scrape_configs: [{{pod_logs: {{root: {root or self.root}}}{scrape}}}]
"""
        return parse(text.encode(), "test.yaml", {})

    async def once(self, config: Config | None = None, **options: Any) -> tuple[int, Agent]:
        """A run with --once: its exit code, and what ran."""
        agent = Agent(config or self.config(), Options(once=True, **options), timing=self.timing, **self.api)
        return await agent.run(), agent

    @asynccontextmanager
    async def running(self, config: Config | None = None) -> AsyncIterator[Agent]:
        """An agent that runs meanwhile, and is stopped in order."""
        agent = Agent(config or self.config(), Options(), timing=self.timing, **self.api)
        task = asyncio.create_task(agent.run())
        try:
            yield agent
            agent.stop()
            assert await asyncio.wait_for(task, 10) == 0
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


MakeLog = Callable[..., LogWriter]
"""Makes the log of a pod of this name."""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    root = tmp_path / "pods"
    root.mkdir()
    async with LokiReceiver() as loki:
        yield Node(root, tmp_path / "positions.json", loki)


@pytest.fixture
def pod(node: Node) -> Iterator[MakeLog]:
    with ExitStack() as logs:
        yield lambda name="payment-service-7d4b9c6f5d-x2x7k", **more: logs.enter_context(
            LogWriter(node.root, pod=name, **more)
        )
