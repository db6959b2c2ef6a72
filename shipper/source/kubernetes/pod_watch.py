"""Keeps up with the metadata of this node's pods: one list, then a watch, for ever.

Metadata only, of one node only, from the API server's cache. Every trouble ends in waiting and trying again, never in
an error of the agent: it ships without. Import it only where it is switched on, for its client costs some MiB.

Facts: kubernetes.io/docs/reference/using-api/api-concepts.
"""

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec

from shipper.backoff import waits
from shipper.metrics import Metrics
from shipper.source.kubernetes.client import NotConfigured, connected
from shipper.source.kubernetes.json_objects import MAX_OBJECT, ObjectSplitter, ObjectTooLarge
from shipper.source.kubernetes.metadata import decode_event, decode_listed
from shipper.source.kubernetes.pods import Pods
from shipper.source.kubernetes.troubles import ApiRefused, Troubles, VersionGone, refusal

PATH: Final = "/api/v1/pods"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

CONNECT: Final = 5.0  # seconds, as all of these
ANSWER: Final = 20.0  # for an answer to begin
LIST_SILENCE: Final = 15.0  # without a byte of a list
LIST: Final = 60.0  # for a whole list
WATCH_SILENCE: Final = 180.0  # without a byte of a watch: bookmarks come about each minute
WATCH: Final = (240.0, 480.0)  # after which the server is asked to end a watch
START: Final = 1.0  # agents that start together do not ask together
AGAIN: Final = (1.0, 2.0)  # between one watch's end and the next
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # back-off from a server that says no,
LONGEST_SEARCH: Final = 5.0  # and from one that is not there: pods come soon after it does
GATHER: Final = 0.1  # for which events gather in the kernel: a burst costs ten reads a second, not a thousand
GATHER_BYTES: Final = 256 << 10  # but no more than these: a server drops a watch that is read too slowly

NOT_NOW: Final = (401, 403, 429, 503)  # these say nothing about what was asked: ask the same again

PIECE: Final = 64 << 10  # bytes that are looked at in one go: a list has pauses, and what is warm costs less

Connect = Callable[[], AbstractAsyncContextManager[Any]]


class PodWatch:
    """Puts the pods of a node into `pods`, and takes them out."""

    def __init__(
        self,
        node: str,
        pods: Pods,
        troubles: Troubles,
        on_answer: Callable[[], None],
        connect: Connect = connected,
    ) -> None:
        """`on_answer` is called when more is known than before."""
        self._pods, self._troubles, self._on_answer, self._connect = pods, troubles, on_answer, connect
        self._selector = ("fieldSelector", f"spec.nodeName={node}")
        self._version = ""  # up to which all is known; empty: nothing is, and a list is due
        self._begin_waits()

    async def run(self) -> None:
        """Keep up until cancelled; raises nothing else."""
        await asyncio.sleep(random.uniform(0, START))
        while True:
            wait = await self._attempt()
            await asyncio.sleep(wait)

    async def _attempt(self) -> float:
        """Keep up until something goes wrong; for how many seconds to leave the server alone."""
        try:
            async with self._connect() as api:  # credentials are read again: a new token, a new authority
                while True:
                    if not self._version:
                        await self._list(api)
                    await self._watch(api)
                    self._went_well()
                    await asyncio.sleep(random.uniform(*AGAIN))
        except VersionGone:
            self._version = ""
            self._troubles.expired()
            return self._refusal_wait(0.0)
        except ApiRefused as refused:
            if refused.status not in NOT_NOW:
                self._version = ""  # it may be the version that is not understood
            self._troubles.refused(refused)
            return self._refusal_wait(refused.retry_after)
        except (ssl.SSLError, aiohttp.ClientSSLError) as error:
            self._troubles.failed("tls", error)
        except TimeoutError as error:
            self._troubles.failed("timeout", error)
        except (aiohttp.ClientError, ConnectionError, ObjectTooLarge) as error:
            self._troubles.failed("connection", error)
        except NotConfigured as error:
            self._troubles.failed("configuration", error)
        except Exception as error:  # labels are worth much, but no line
            self._troubles.failed("other", error)
        return next(self._searches)

    def _refusal_wait(self, at_least: float) -> float:
        """It is there, whatever it says: when it is gone again, it is searched for anew."""
        self._searches = waits(FIRST_WAIT, LONGEST_SEARCH)
        return max(at_least, next(self._waits))

    def _begin_waits(self) -> None:
        self._waits, self._searches = waits(FIRST_WAIT, LONGEST_WAIT), waits(FIRST_WAIT, LONGEST_SEARCH)

    def _went_well(self) -> None:
        self._begin_waits()
        self._troubles.over()

    # -- the list

    async def _list(self, api: Any) -> None:
        """Learn of all pods, and of those that are gone."""
        # Version 0 is what the server's cache has, which it keeps by node; without it the database is asked.
        within = aiohttp.ClientTimeout(total=LIST, connect=CONNECT, sock_connect=CONNECT, sock_read=LIST_SILENCE)
        missing, version = self._pods.begin_list(), ""
        async with self._get(api, METADATA_LIST, within, ("resourceVersion", "0")) as response:
            async for text in _objects(response):
                try:
                    found = decode_listed(text)
                except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                    self._troubles.failed("malformed", error)
                    continue
                if found.metadata is None:
                    version = version or found.version
                else:
                    missing.difference_update(self._pods.put(found.metadata))
        if not version:
            raise aiohttp.ClientPayloadError("not a list of pods")
        self._pods.end_list(missing)
        self._on_answer()
        self._version = version
        self._troubles.over()  # but the waits go on growing: the watch may be refused all the same

    # -- the watch

    async def _watch(self, api: Any) -> None:
        """Follow the changes since the last version, until the server ends that. Raises VersionGone."""
        seconds = random.uniform(*WATCH)
        within = aiohttp.ClientTimeout(
            total=seconds + LIST_SILENCE, connect=CONNECT, sock_connect=CONNECT, sock_read=WATCH_SILENCE
        )
        query = (
            ("watch", "1"),
            ("resourceVersion", self._version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(int(seconds))),
        )
        async with self._get(api, METADATA, within, *query) as response:
            try:
                await self._follow(response)
            except TimeoutError:  # not even a bookmark: one from an old backup is silent until it is as far as we are
                self._version = ""
                raise

    async def _follow(self, response: aiohttp.ClientResponse) -> None:
        rest = b""
        while data := await response.content.read(PIECE):
            rest = self._take_lines(rest + data)
            if len(data) < PIECE:
                self._on_answer()
                await _gather(response)

    def _take_lines(self, text: bytes) -> bytes:
        """Do what the events say that are whole; what is left. Raises VersionGone, ApiRefused, ObjectTooLarge."""
        start, understood = 0, False
        while (end := text.find(b"\n", start)) >= 0:
            understood |= self._take(text, start, end)
            start = end + 1
        if understood:
            self._went_well()
        if len(text) - start > MAX_OBJECT:
            raise ObjectTooLarge(f"an event of more than {MAX_OBJECT} bytes")
        return text[start:]

    def _take(self, text: bytes, start: int, end: int) -> bool:
        """Do what an event says; whether it could be understood. Raises VersionGone, ApiRefused."""
        try:
            event = decode_event(text, start, end)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._troubles.failed("malformed", error)
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

    # -- requests

    @asynccontextmanager
    async def _get(
        self, api: Any, accept: str, within: aiohttp.ClientTimeout, *query: tuple[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, once it is known to be one. Raises ApiRefused, VersionGone."""
        async with asyncio.timeout(ANSWER):  # a watch may be silent for long, but not about whether it is one
            response: aiohttp.ClientResponse = await api.call_api(
                PATH,
                "GET",
                query_params=[self._selector, *query],
                # Uncompressed: a few hundred pods are less than a megabyte, and what gzip holds has no bound.
                header_params={"Accept": accept, "Accept-Encoding": "identity"},
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=within,
            )
            refused = await refusal(response)
        try:
            if refused:
                raise refused
            yield response
        finally:
            response.close()  # a watch has no end to wait for


@asynccontextmanager
async def keeping_up(node: str, pods: Pods, metrics: Metrics, on_answer: Callable[[], None]) -> AsyncIterator[None]:
    """Keep `pods` up to date with the pods of a node while the context lasts; `on_answer` as in `PodWatch`."""
    watching = asyncio.create_task(PodWatch(node, pods, Troubles(metrics), on_answer).run())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _objects(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """The objects of a list, while it comes; the rest of the process lives too. Raises ClientPayloadError."""
    splitter = ObjectSplitter(depth=2)
    while data := await response.content.read(PIECE):
        for text in splitter.feed(data):
            yield text
        await asyncio.sleep(0)
    if not splitter.is_closed:  # a proxy may end what it has not got to the end of
        raise aiohttp.ClientPayloadError("a list that breaks off")


async def _gather(response: aiohttp.ClientResponse) -> None:
    """Leave what comes meanwhile to the kernel, up to a bound: events come one by one, and each would wake us."""
    transport = response.connection.transport if response.connection else None
    _wake_at(transport, GATHER_BYTES)
    await asyncio.sleep(GATHER)
    _wake_at(transport, 1)


def _wake_at(transport: asyncio.Transport | None, size: int) -> None:
    """From how many bytes on the process shall be told that there are some; the end of a stream is told at once."""
    raw = transport.get_extra_info("socket") if transport and not transport.is_closing() else None
    with contextlib.suppress(OSError):  # not every kernel can: then events cost more
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
