"""A stand-in for `shipper directory` on a loopback port, whose knowledge a test changes as it likes, even to lies.

    async with DirectoryStandIn() as directory:
        directory.holders["10.0.0.20"] = Holder("pod", namespace="default", pod="legacy-client", app="legacy-client")
        directory.fault = hang()  # of every request, until changed

It knows no time: whoever has an address now has had it ever since, and nobody else before.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from lab.faults import Arrival, Fault
from lab.listener import Listener
from shipper.who.holder import UNKNOWN, Answer, Holder, Reason
from shipper.who.protocol import PATH, Answers, encode, questions, told

BEGINNING: Final = 1  # nanoseconds since 1970


class DirectoryStandIn:
    """`POST /v1/who`, with faults on demand."""

    def __init__(self) -> None:
        self.holders: dict[str, Holder] = {}
        self.fault: Fault | None = None  # of every request, until changed
        self.script: deque[Fault] = deque()  # used first, one per request
        self.asked: list[list[tuple[str, int]]] = []  # the questions of each request that was answered
        self._closing = asyncio.Event()
        app = web.Application()
        app.router.add_post(PATH, self._answer)
        self.listener = Listener(app, handler_cancellation=True)

    async def __aenter__(self) -> Self:
        await self.listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self.listener.close()

    @property
    def url(self) -> str:
        """What agents are told."""
        return f"http://127.0.0.1:{self.listener.port}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        arrival = Arrival(request, body, (), lambda: self._told(body), self._closing)
        fault = self.script.popleft() if self.script else self.fault
        answer = await fault(arrival) if fault else None
        return answer or self._told(body)

    def _told(self, body: bytes) -> web.Response:
        asked = questions(body)
        self.asked.append(asked)
        latest = max((at for _, at in asked), default=BEGINNING)
        told_of = [told(self._holder(ip, at)) for ip, at in asked]
        return web.Response(body=encode(Answers(BEGINNING, latest, told_of)), content_type="application/json")

    def _holder(self, ip: str, at: int) -> Answer:
        holder = self.holders.get(ip, UNKNOWN)
        return Answer(holder, BEGINNING, at, Reason.NEVER_SEEN if holder is UNKNOWN else "")
