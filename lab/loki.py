"""A strict stand-in for Loki 3.4 on a loopback port: takes pushes, checks them, keeps them, answers queries.

    async with LokiReceiver() as loki:
        loki.fault = status(500)  # until changed
        loki.script += [status(429), reset_after()]  # the next two requests
        ...
        assert [entry.line for entry in await loki.entries(2)] == [b"a", b"b"]

Whatever can not be decoded is answered with 400 and kept in `pushes`. Stricter than Loki: it takes protobuf in
a snappy block only, and a line must be UTF-8.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import snappy
from aiohttp import web
from google.protobuf.message import DecodeError

from lab import query
from lab.answers import SECOND
from lab.faults import Arrival, Fault
from lab.ingester import Ingester, Key, Pushed
from lab.limits import Limits, RefusedError
from lab.listener import Listener
from shipper import push_pb2
from shipper.model import Entry

YEAR_1, YEAR_10000 = -62135596800, 253402300800  # seconds: what Loki's protobuf takes for a time


@dataclass(frozen=True, slots=True)
class Received:
    """A distinct entry that is stored."""

    labels: dict[str, str]
    nanos: int
    line: bytes
    metadata: tuple[tuple[str, str], ...]
    copies: int  # how often it was sent; Loki shows it once


@dataclass(slots=True)
class Push:
    """A push request, as it came and as it was answered."""

    headers: Mapping[str, str]
    body: bytes  # compressed
    came: float = field(default_factory=time.monotonic)
    streams: list[Pushed] = field(default_factory=list)  # empty when it could not be decoded
    status: int = 0  # 0: no answer yet
    text: str = ""
    answered: float = 0.0


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it came."""

    headers: Mapping[str, str]
    wanted: Mapping[str, str]


class LokiReceiver:
    """Loki's HTTP API, as far as an agent and the demo need it."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], int] = time.time_ns) -> None:
        self.limits = limits or Limits()
        self.fault: Fault | None = None  # holds until changed
        self.script: deque[Fault] = deque()  # comes first, one a request
        self.pushes: list[Push] = []
        self.queries: list[Query] = []
        self.query_script: deque[Fault] = deque()  # comes first, one a query
        self.most_entries = query.MOST  # that a query may ask for
        self.ingester = Ingester(self.limits, clock)
        self._closing = asyncio.Event()
        self._changed = asyncio.Event()
        app = web.Application(client_max_size=1 << 30)
        app.router.add_post("/loki/api/v1/push", self._push)
        app.router.add_get("/loki/api/v1/query_range", self._query_range)
        app.router.add_get("/ready", self._ready)
        self._listener = Listener(app, auto_decompress=False)

    # -- life

    async def __aenter__(self) -> Self:
        await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self._listener.close()

    async def listen(self) -> None:
        """Take connections, again on the same port after `refuse`."""
        await self._listener.listen()

    async def refuse(self) -> None:
        """Stop serving: refuse new connections, break the open ones, keep what is stored."""
        await self._listener.kill()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.port}"

    @property
    def url(self) -> str:
        """Where to push."""
        return f"{self.base_url}/loki/api/v1/push"

    # -- what is there

    @property
    def streams(self) -> dict[str, dict[Key, int]]:
        """Label text, sorted and quoted -> (nanoseconds, line) -> copies sent."""
        return {text: stream.entries for text, stream in self.ingester.streams.items()}

    @property
    def refused(self) -> Counter[str]:
        """Entries refused, by Loki's name of the reason."""
        return self.ingester.refused

    def stored(self) -> list[Received]:
        """All distinct entries, oldest first."""
        return sorted(self._stored(), key=lambda entry: entry.nanos)

    def _stored(self) -> Iterator[Received]:
        for stream in self.ingester.streams.values():
            for (nanos, line), copies in stream.entries.items():
                yield Received(stream.labels, nanos, line, stream.metadata[nanos, line], copies)

    async def entries(self, count: int, *, within: float = 10) -> list[Received]:
        """All stored entries, oldest first, once there are at least `count`; else TimeoutError."""
        await self.until(lambda: self._count() >= count, within, f"{count} entries")
        return self.stored()

    async def requests(self, count: int, *, within: float = 10) -> list[Push]:
        """All pushes in the order they came, once at least `count` have come; else TimeoutError."""
        await self.until(lambda: len(self.pushes) >= count, within, f"{count} requests")
        return list(self.pushes)

    async def until(self, reached: Callable[[], bool], within: float = 10, what: str = "it") -> None:
        """Wait till `reached`, asked again whenever a push comes or is answered; else TimeoutError."""
        try:
            async with asyncio.timeout(within):
                while not reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            answers = dict(Counter(push.status for push in self.pushes))
            raise TimeoutError(f"no {what} in {within} s: {self._count()} stored, answers {answers}") from None

    def _count(self) -> int:
        return sum(len(stream.entries) for stream in self.ingester.streams.values())

    # -- requests

    async def _push(self, request: web.Request) -> web.StreamResponse:
        push = Push(request.headers.copy(), await request.read())
        size, problem = 0, None
        try:
            size, push.streams = decode(push.body, request.headers)
        except RefusedError as refused:
            problem = refused
        self.pushes.append(push)
        self._changed.set()

        def accept() -> web.Response:
            return self._accept(push.streams, size, problem)

        labels = tuple(stream.labels for stream in push.streams)
        fault = self.script.popleft() if self.script else self.fault
        arrival = Arrival(request, push.body, labels, accept, self._closing)
        response = (await fault(arrival) if fault else None) or accept()
        push.status, push.answered = response.status, time.monotonic()
        push.text = (response.text or "") if isinstance(response, web.Response) else ""
        self._changed.set()
        return response

    def _accept(self, streams: list[Pushed], size: int, problem: RefusedError | None) -> web.Response:
        try:
            if problem is not None:
                raise problem
            self.ingester.push(streams, size)
        except RefusedError as refused:
            return web.Response(status=refused.status, text=f"{refused.text}\n")
        return web.Response(status=204)

    async def _query_range(self, request: web.Request) -> web.StreamResponse:
        self.queries.append(Query(request.headers.copy(), dict(request.query)))

        def answer() -> web.Response:
            try:
                return web.json_response(query.answer(self.ingester.streams, request.query, self.most_entries))
            except ValueError as error:
                return web.Response(status=400, text=f"{error}\n")

        fault = self.query_script.popleft() if self.query_script else None
        arrival = Arrival(request, b"", (), answer, self._closing)
        return (await fault(arrival) if fault else None) or answer()

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(text="ready\n")


def decode(body: bytes, headers: Mapping[str, str]) -> tuple[int, list[Pushed]]:
    """Uncompressed size and streams of a push request; RefusedError (400) when it is not one."""
    media_type = headers.get("Content-Type", "").split(";")[0].strip().lower()
    if "/" not in media_type:
        raise RefusedError(400, "mime: no media type")
    if media_type == "application/json":
        raise RefusedError(400, "JSON is not taken here: push protobuf in a snappy block")
    encoding = headers.get("Content-Encoding", "")
    if encoding not in ("", "snappy"):
        raise RefusedError(400, f'Content-Encoding "{encoding}" not supported')
    try:
        raw = snappy.uncompress(body)
    except snappy.UncompressError as error:
        raise RefusedError(400, "snappy: corrupt input") from error
    try:
        message = push_pb2.PushRequest.FromString(raw)
        streams = [Pushed(stream.labels, [_entry(entry) for entry in stream.entries]) for stream in message.streams]
    except (DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(400, f"proto: {error}") from error
    return len(raw), streams


def _entry(entry: push_pb2.Entry) -> Entry:
    seconds, nanos = entry.timestamp.seconds, entry.timestamp.nanos
    if not (YEAR_1 <= seconds < YEAR_10000 and 0 <= nanos < SECOND):
        raise RefusedError(400, f"proto: timestamp: seconds:{seconds} nanos:{nanos} out of range")
    metadata = tuple((pair.name, pair.value) for pair in entry.structured_metadata)
    entry.line.decode()  # must be UTF-8
    return Entry(seconds * SECOND + nanos, entry.line, metadata)
