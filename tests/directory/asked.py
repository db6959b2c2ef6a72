"""A directory beside an API server's stand-in, and somebody who asks it."""

import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from lab.kubernetes import ApiServer
from lab.pods import Pod
from shipper.config import DirectoryConfig, Seconds, ServerConfig
from shipper.directory.clock import Clock
from shipper.directory.command import directory
from shipper.directory.knowledge import Knowledge
from shipper.kubernetes.timing import ApiTiming
from shipper.who.protocol import PATH
from tests.kubernetes.watching import connecting

SECOND = 1_000_000_000
FAST = ApiTiming(
    first_request=(0.0, 0.0),
    watch=(1.0, 1.0),
    between_watches=(0.0, 0.0),
    first_backoff=0.01,
    longest_backoff=0.02,
    longest_search=0.02,
    debounce=0.001,
)
CLIENT = Pod(
    "default",
    "legacy-client-7d4b9c6f5d-x2x7k",
    labels={"app": "legacy", "pod-template-hash": "7d4b9c6f5d"},
    owner=("ReplicaSet", "legacy-client-7d4b9c6f5d"),
    address="10.0.1.20",
)
QUICK = {"settle": Seconds(0.001), "margin": Seconds(0.001)}


class Hour(Clock):
    """A clock that is moved by hand, and goes on by a millisecond each time it is read."""

    def __init__(self, tolerance: int = 10**18) -> None:
        self.moved = 0
        super().__init__(tolerance, wall=self._time)

    def _time(self) -> int:
        self.moved += SECOND // 1000
        return time.time_ns() + self.moved


class Asked:
    """A running directory."""

    def __init__(self, api: ApiServer, port: int, knowledge: Knowledge, session: aiohttp.ClientSession) -> None:
        self.api, self.port, self.knowledge, self._session = api, port, knowledge, session

    async def settle(self) -> int:
        """Have a moment from now on be known; that moment."""
        await self.api.until(lambda: self.api.watching == 2)
        at = self.knowledge.now()
        while self.knowledge.history.known <= at + 2 * SECOND // 1000:
            await self.turn()
        return at

    async def turn(self) -> None:
        """Have both watches end and begin again."""
        asked = len(self.api.asked)
        await self.api.until(lambda: self.api.watching == 2)
        self.api.end_watches()
        await self.api.until(lambda: len(self.api.asked) >= asked + 2)

    async def post(self, body: object, token: str = "") -> tuple[int, Any]:
        """Status and JSON of the answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
        async with self._session.post(f"http://127.0.0.1:{self.port}{PATH}", headers=headers, data=data) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page."""
        async with self._session.get(f"http://127.0.0.1:{self.port}{path}") as response:
            return response.status, await response.text()

    async def who(self, ip: str, at: int) -> dict[str, Any]:
        """One answer."""
        status, told = await self.post([{"ip": ip, "at": at}])
        assert status == 200, told
        answer: dict[str, Any] = told["answers"][0]
        return answer


@asynccontextmanager
async def asking(api: ApiServer, clock: Clock | None = None, **config: Any) -> AsyncIterator[Asked]:
    """A directory that has asked this server for nothing yet."""
    server = ServerConfig(http_listen_port=0)
    configured = DirectoryConfig(**{**QUICK, **config})
    started = directory(server, configured, connect=connecting(api), timing=FAST, clock=clock or Hour())
    async with started as (port, knowledge), aiohttp.ClientSession() as session:
        yield Asked(api, port, knowledge, session)
