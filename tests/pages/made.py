"""An agent as the pages see it, made up: whatever its logs, its Loki and its counters say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shipper.config.file import parse
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.model import Columns
from shipper.pages.facts import Facts
from shipper.pages.routes import routes
from shipper.pipeline.labels import label_text
from shipper.pipeline.record import mapped_loads
from shipper.server import application
from shipper.tap.access import Access
from shipper.tap.border import Tap
from tests.tickets import ticket

NANOS = 1_790_000_000_000_000_000
Client = TestClient[web.Request, web.Application]


def entries(*lines: bytes, **labels: str) -> Entries:
    """These lines as one block's entries of one stream."""
    return Entries(label_text(labels), Columns([NANOS + at for at in range(len(lines))], list(lines)), ticket())


def told(name: str = "shop_payment-0_1234/istio-proxy", *, lag: int = 0, paused: bool = False, **labels: str) -> Any:
    """One log, as /targets has it."""
    ledger = {"read": 10, "filtered": {"no_match": 7}, "sent": 2, "dropped": {}, "pending": 1}
    file = {"name": "0.log", "size": 2048, "read": 2048, "committed": 1024, "open": True, "deleted": False}
    return {"target": name, "labels": labels, "paused": paused, "lag_bytes": lag, "lag_seconds": lag / 1000,
            "ledger": ledger, "files": [file]}  # fmt: skip


@dataclass
class Made:
    """The agent."""

    config: str = "clients: [{url: 'http://loki/push?key=secret', headers: {X-Key: secret}}]"
    targets: list[Any] = field(default_factory=list)
    failing: str = ""
    failing_streams: dict[str, str] = field(default_factory=dict)
    node: str = "node-1"
    metrics: Metrics = field(default_factory=Metrics)
    handed_on: list[Entries] = field(default_factory=list)

    def __post_init__(self) -> None:
        parsed = parse(self.config.encode(), "test.yaml", {})
        access = Access(parsed.server)
        tap = Tap(self.handed_on.append, lambda: None, lambda more: None) if access.is_possible else None
        loads = mapped_loads(parsed.scrape_configs[0].fields)
        self.facts = Facts(
            parsed, self.metrics, self.node, True, self._describe, lambda: True, lambda: 1 << 20, loads, access, tap
        )

    def _describe(self) -> dict[str, Any]:
        loki = {
            "url": self.facts.config.clients[0].url if self.facts.config.clients else None,
            "failing": self.failing,
            "failing_since": "2026-01-30T10:15:02Z" if self.failing else "",
            "last_stored": "2026-11-30T10:15:00Z",
            "failing_streams": self.failing_streams,
        }
        positions = {"filename": "./positions.json", "failing": ""}
        return {"loki": loki, "positions": positions, "targets": self.targets}

    def put(self, *lines: bytes, **labels: str) -> None:
        """Lines are kept and handed on."""
        assert self.facts.tap
        self.facts.tap.put(entries(*lines, **labels))

    async def watched(self) -> Tap:
        """The tap, once somebody listens."""
        assert self.facts.tap
        async with asyncio.timeout(10):
            while not self.facts.tap.listeners:
                await asyncio.sleep(0.001)
        return self.facts.tap

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client of its server."""
        async with TestClient(TestServer(application(routes(self.facts)))) as client:
            yield client
