"""Keeps up with one resource, as client-go's Reflector does: one list, then one watch after the other.

What it learns it puts into a store. Every error of the API ends in waiting and trying again, never in an error of those
who want to know: they do without.
"""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import aiohttp
import msgspec

from shipper import backoff
from shipper.kubernetes.client import Connect, Get, connected
from shipper.kubernetes.errors import ApiErrors, ApiRefused, BodyTooLarge, VersionGone
from shipper.kubernetes.freshness import Follower, Freshness
from shipper.kubernetes.requests import MAX_PAGE, READ_BYTES, Requests, Resource
from shipper.kubernetes.rows import Page, Row, RowReader, decode_event
from shipper.kubernetes.timing import API_TIMING, ApiTiming

MAX_EVENT: Final = 4 << 20  # bytes; etcd takes objects of 1.5 MiB
DEBOUNCE_BYTES: Final = 256 << 10  # that gather in the kernel at most: a server drops a watch that is read too slowly
SAME_AGAIN: Final = (401, 403, 429, 503)  # statuses that say nothing about the request: repeat it as it is
ROWS_AT_ONCE: Final = 64  # of a list, before the event loop gets its turn: 2 ms

Waits = Callable[[float, float], Iterator[float]]


class Store(Follower, Protocol):
    """What is known of a resource, by names that the store itself gives its objects."""

    def begin_list(self) -> set[str]:
        """All names that are not known to be deleted. Those that the list does not have are then `mark_deleted`."""

    def put(self, row: Row) -> Iterable[str]:
        """Add or update an object; its names."""

    def remove(self, row: Row) -> None:
        """An object was deleted; this is its last state."""

    def mark_deleted(self, names: Iterable[str]) -> None:
        """The objects of these names were deleted, at a time that is not known."""


class Reflector:
    """Puts the objects of a resource into a store, and takes them out."""

    def __init__(
        self,
        resource: Resource,
        store: Store,
        errors: ApiErrors,
        on_change: Callable[[], None],
        connect: Connect = connected,
        timing: ApiTiming = API_TIMING,
        *,
        on_complete: Callable[[float], None] | None = None,
        waits: Waits = backoff.waits,
        max_page: int = MAX_PAGE,
        max_event: int = MAX_EVENT,
    ) -> None:
        """`on_change` is called after a list, and after the events that came together. `max_page` and `max_event` are
        bytes.

        `on_complete` is called after a list, and after a watch that the server has ended, with a number of seconds: all
        changes up to so long ago are in the store for sure, however late events come. An event that cannot be decoded
        then costs a list.
        """
        self._on_complete = on_complete
        self._store, self._errors, self._on_change = store, errors, on_change
        self._connect, self._timing = connect, timing
        self._requests, self._columns = Requests(resource, timing, max_page), resource.columns
        self._new_waits, self._max_event = waits, max_event
        self._version = ""  # everything up to it is known; empty: a list is due
        self._reset_backoff()

    async def run(self) -> None:
        """Keep up until cancelled; raises nothing else."""
        await asyncio.sleep(random.uniform(*self._timing.first_request))
        while True:
            wait = await self.attempt()
            await asyncio.sleep(wait)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep up while the context lasts."""
        running = asyncio.create_task(self.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def attempt(self) -> float:
        """Keep up until something fails; the seconds to wait before the next attempt."""
        try:
            async with self._connect() as get:  # reads credentials again: a new token, a new authority
                while True:
                    if not self._version:
                        await self._list(get)
                    seconds, begun = self._requests.watch_seconds(), time.monotonic()
                    await self._watch(get, seconds)
                    self._succeeded()
                    lasted = time.monotonic() - begun
                    self._complete(lasted - seconds if lasted >= seconds else lasted)
                    await asyncio.sleep(max(0.0, random.uniform(*self._timing.between_watches) - lasted))
        except VersionGone:
            self._version = ""
            self._errors.expired()
            return self._refusal_wait(0.0)
        except ApiRefused as refused:
            if refused.status not in SAME_AGAIN:
                self._version = ""  # it may be the version that the server does not understand
            self._errors.refused(refused)
            return self._refusal_wait(refused.retry_after)
        except Exception as error:  # what the API says must cost those who ask nothing
            self._errors.failed(error)
            return self._refusal_wait(0.0) if isinstance(error, BodyTooLarge) else next(self._search_waits)

    def _refusal_wait(self, at_least: float) -> float:
        """The server can be reached, so the search for it begins anew when it is away again."""
        self._search_waits = self._new_search()
        return max(at_least, next(self._waits))

    def _reset_backoff(self) -> None:
        self._waits = self._new_waits(self._timing.first_backoff, self._timing.longest_backoff)
        self._search_waits = self._new_search()

    def _new_search(self) -> Iterator[float]:
        return self._new_waits(self._timing.first_backoff, self._timing.longest_search)

    def _complete(self, seconds: float) -> None:
        """All changes up to so long ago are known."""
        if self._on_complete is not None:
            self._on_complete(seconds)

    def _succeeded(self) -> None:
        self._reset_backoff()
        self._errors.recovered()

    # -- the list

    async def _list(self, get: Get) -> None:
        """Learn of all objects, and which are gone."""
        missing, version, begun = self._store.begin_list(), "", time.monotonic()
        async for page in self._requests.pages(get):
            await self._put(page, missing)
            version = page.metadata.version
        self._store.mark_deleted(missing)
        self._on_change()
        self._version = version
        self._complete(time.monotonic() - begun)
        self._errors.recovered()  # but the back-off goes on growing: the watch may be refused all the same

    async def _put(self, page: Page, missing: set[str]) -> None:
        reader = RowReader(self._columns)
        for number, row in enumerate(reader.rows(page)):
            if isinstance(row, Row):
                missing.difference_update(self._store.put(row))
            else:
                self._errors.failed(row)
            if number % ROWS_AT_ONCE == ROWS_AT_ONCE - 1:
                await asyncio.sleep(0)
        self._note(reader)

    def _note(self, reader: RowReader) -> None:
        if reader.lacks_table:
            self._errors.no_table(self._columns)

    # -- the watch

    async def _watch(self, get: Get, seconds: int) -> None:
        """Follow the changes since the last version until the server ends the watch. Raises VersionGone."""
        async with self._requests.watch(get, self._version, seconds) as response:
            try:
                await self._follow(response)
            except TimeoutError:  # not even a bookmark: one from an old backup is silent until it is as far as we are
                self._version = ""
                raise

    async def _follow(self, response: aiohttp.ClientResponse) -> None:
        rest, reader = b"", RowReader(self._columns)
        with Freshness(self._store, self._timing.catch_up) as freshness:
            while data := await response.content.read(READ_BYTES):
                rest = self._apply_lines(rest + data, reader)
                if len(rest) > self._max_event:
                    raise BodyTooLarge(f"an event of more than {self._max_event} bytes")
                freshness.heard(drained=len(data) < READ_BYTES)
                if len(data) < READ_BYTES:
                    self._on_change()
                    await self._debounce(response)

    def _apply_lines(self, text: bytes, reader: RowReader) -> bytes:
        """Do what all whole lines say; what is left of the text. Raises VersionGone, ApiRefused."""
        start, understood = 0, False
        while (end := text.find(b"\n", start)) >= 0:
            understood |= self._apply(reader, text, start, end)
            start = end + 1
        if understood:
            self._succeeded()
            self._note(reader)
        return text[start:]

    def _apply(self, reader: RowReader, text: bytes, start: int, end: int) -> bool:
        """Do what an event says; whether it could be decoded. Raises VersionGone, ApiRefused."""
        try:
            event = decode_event(text, start, end)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            if self._on_complete is not None:
                self._version = ""
                raise
            self._errors.failed(error)
            return False
        if event.object.columns:
            reader.define(event.object.columns)
        match event.type:
            case "ADDED" | "MODIFIED":
                self._store.put(reader.row(event.object))
            case "DELETED":
                self._store.remove(reader.row(event.object))
            case "ERROR" if event.object.code == 410:
                raise VersionGone
            case "ERROR":
                raise ApiRefused(event.object.code, event.object.message)
        self._version = event.object.metadata.version or self._version
        return True

    async def _debounce(self, response: aiohttp.ClientResponse) -> None:
        """Leave what comes meanwhile to the kernel, up to a bound: events come one by one, and each would wake us."""
        transport = response.connection.transport if response.connection else None
        _wake_at(transport, DEBOUNCE_BYTES)
        await asyncio.sleep(self._timing.debounce)
        _wake_at(transport, 1)


def _wake_at(transport: asyncio.Transport | None, size: int) -> None:
    """Set from how many bytes on the socket counts as readable; its end always does."""
    raw = transport.get_extra_info("socket") if transport and not transport.is_closing() else None
    with contextlib.suppress(OSError):  # not every kernel can: then events cost more
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
