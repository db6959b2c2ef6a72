"""Keeps up with the metadata of this node's pods: one list, then one watch after the other.

Every error of the API ends in waiting and trying again, never in an error of the agent: it ships without pod labels.
"""

import asyncio
import contextlib
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import msgspec

from shipper import backoff
from shipper.metrics import Metrics
from shipper.source.kubernetes.client import MAX_LIST, READ_BYTES, Connect, Get, PodRequests, connected
from shipper.source.kubernetes.errors import ApiErrors, ApiRefused, BodyTooLarge, VersionGone
from shipper.source.kubernetes.metadata import decode_event, decode_pod
from shipper.source.kubernetes.pods import Pods
from shipper.source.kubernetes.timing import API_TIMING, ApiTiming

MAX_EVENT: Final = 4 << 20  # bytes; etcd takes objects of 1.5 MiB
DEBOUNCE_BYTES: Final = 256 << 10  # that gather in the kernel at most: a server drops a watch that is read too slowly
SAME_AGAIN: Final = (401, 403, 429, 503)  # statuses that say nothing about the request: repeat it as it is
PODS_AT_ONCE: Final = 64  # of a list, before the event loop gets its turn: 2 ms

Waits = Callable[[float, float], Iterator[float]]


class PodWatch:
    """Puts the pods of a node into `pods`, and takes them out."""

    def __init__(
        self,
        node: str,
        pods: Pods,
        errors: ApiErrors,
        on_answer: Callable[[], None],
        connect: Connect = connected,
        timing: ApiTiming = API_TIMING,
        *,
        waits: Waits = backoff.waits,
        max_list: int = MAX_LIST,
        max_event: int = MAX_EVENT,
    ) -> None:
        """`on_answer` is called when more is known and a target waits for it; `max_list` and `max_event` are bytes."""
        self._pods, self._errors, self._on_answer = pods, errors, on_answer
        self._connect, self._timing = connect, timing
        self._requests = PodRequests(node, timing, max_list)
        self._new_waits, self._max_event = waits, max_event
        self._version = ""  # everything up to it is known; empty: a list is due
        self._reset_backoff()

    async def run(self) -> None:
        """Keep up until cancelled; raises nothing else."""
        await asyncio.sleep(random.uniform(*self._timing.first_request))
        while True:
            wait = await self.attempt()
            await asyncio.sleep(wait)

    async def attempt(self) -> float:
        """Keep up until something fails; the seconds to wait before the next attempt."""
        try:
            async with self._connect() as get:  # reads credentials again: a new token, a new authority
                while True:
                    if not self._version:
                        await self._list(get)
                    await self._watch(get)
                    self._succeeded()
                    await asyncio.sleep(random.uniform(*self._timing.between_watches))
        except VersionGone:
            self._version = ""
            self._errors.expired()
            return self._refusal_wait(0.0)
        except ApiRefused as refused:
            if refused.status not in SAME_AGAIN:
                self._version = ""  # it may be the version that the server does not understand
            self._errors.refused(refused)
            return self._refusal_wait(refused.retry_after)
        except Exception as error:  # pod labels must not cost a line
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

    def _succeeded(self) -> None:
        self._reset_backoff()
        self._errors.recovered()

    # -- the list

    async def _list(self, get: Get) -> None:
        """Learn of all pods, and which are gone."""
        missing = self._pods.begin_list()
        found = await self._requests.list(get)
        for number, item in enumerate(found.items or ()):
            try:
                missing.difference_update(self._pods.put(decode_pod(item).metadata))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._errors.failed(error)
            if number % PODS_AT_ONCE == PODS_AT_ONCE - 1:
                await asyncio.sleep(0)
        self._pods.mark_deleted(missing)
        self._answer()
        self._version = found.metadata.version
        self._errors.recovered()  # but the back-off goes on growing: the watch may be refused all the same

    def _answer(self) -> None:
        if self._pods.is_awaited:
            self._on_answer()

    # -- the watch

    async def _watch(self, get: Get) -> None:
        """Follow the changes since the last version until the server ends the watch. Raises VersionGone."""
        async with self._requests.watch(get, self._version) as response:
            try:
                await self._follow(response)
            except TimeoutError:  # not even a bookmark: one from an old backup is silent until it is as far as we are
                self._version = ""
                raise

    async def _follow(self, response: aiohttp.ClientResponse) -> None:
        rest = b""
        while data := await response.content.read(READ_BYTES):
            rest = self._apply_lines(rest + data)
            if len(rest) > self._max_event:
                raise BodyTooLarge(f"an event of more than {self._max_event} bytes")
            if len(data) < READ_BYTES:
                self._answer()
                await self._debounce(response)

    def _apply_lines(self, text: bytes) -> bytes:
        """Do what all whole lines say; what is left of the text. Raises VersionGone, ApiRefused."""
        start, understood = 0, False
        while (end := text.find(b"\n", start)) >= 0:
            understood |= self._apply(text, start, end)
            start = end + 1
        if understood:
            self._succeeded()
        return text[start:]

    def _apply(self, text: bytes, start: int, end: int) -> bool:
        """Do what an event says; whether it could be decoded. Raises VersionGone, ApiRefused."""
        try:
            event = decode_event(text, start, end)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._errors.failed(error)
            return False
        pod = event.object.metadata
        match event.type:
            case "ADDED" | "MODIFIED":
                self._pods.put(pod)
            case "DELETED":
                self._pods.remove(pod)
            case "ERROR" if event.object.code == 410:
                raise VersionGone
            case "ERROR":
                raise ApiRefused(event.object.code, event.object.message)
        self._version = pod.version or self._version
        return True

    async def _debounce(self, response: aiohttp.ClientResponse) -> None:
        """Leave what comes meanwhile to the kernel, up to a bound: events come one by one, and each would wake us."""
        transport = response.connection.transport if response.connection else None
        _wake_at(transport, DEBOUNCE_BYTES)
        await asyncio.sleep(self._timing.debounce)
        _wake_at(transport, 1)


@asynccontextmanager
async def following_pods(
    node: str,
    pods: Pods,
    metrics: Metrics,
    on_answer: Callable[[], None],
    connect: Connect = connected,
    timing: ApiTiming = API_TIMING,
) -> AsyncIterator[None]:
    """Keep `pods` up to date with the pods of a node while the context lasts; `on_answer` as in `PodWatch`."""
    watch = PodWatch(node, pods, ApiErrors(metrics), on_answer, connect, timing)
    watching = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def _wake_at(transport: asyncio.Transport | None, size: int) -> None:
    """Set from how many bytes on the socket counts as readable; its end always does."""
    raw = transport.get_extra_info("socket") if transport and not transport.is_closing() else None
    with contextlib.suppress(OSError):  # not every kernel can: then events cost more
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
