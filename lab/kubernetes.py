"""A stand-in for the Kubernetes API server: list and watch of pods' metadata, over HTTP or HTTPS.

    async with ApiServer() as api:
        api.put(Pod("shop", "checkout-7d4b9c6f5d-x2x7k", node="node-1", labels={"app": "checkout"}))
        api.script += [faults.status(500)]  # the next request
        ...
        api.bookmark()
        api.forget()  # older versions are gone from now on: 410

Strict: a request that a well-behaved client does not make gets a 400 and is kept in `violations`.
Facts: kubernetes.io/docs/reference/using-api/api-concepts.
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Literal, Self

import orjson
from aiohttp import web

from lab.faults import Arrival, Fault
from lab.kubernetes_requests import Asked, Verb, refused
from lab.pods import REST, Pod, event, failure

COMPRESSED_FROM = 128 << 10  # bytes of a list


@dataclass(frozen=True, slots=True)
class _Change:
    version: int
    kind: str
    pod: Pod


class ApiServer:
    """`/api/v1/pods`, with faults on demand."""

    def __init__(self, *, context: ssl.SSLContext | None = None, tokens: set[str] | None = None) -> None:
        self.tokens = tokens  # accepted ones; None: any
        self.forbids: set[Verb] = set()  # what the client's role does not allow
        self.expires: Literal["by status", "by event"] = "by event"  # how a 410 is told
        self.partial = True  # whether it supports PartialObjectMetadata
        self.fault: Fault | None = None  # of every request, until changed
        self.script: deque[Fault] = deque()  # used first, one per request
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self._context = context
        self._version, self._oldest = 1000, 0
        self._told = 0  # the highest version told before it went back
        self._pods: dict[str, tuple[Pod, int]] = {}
        self._history: list[_Change] = []
        self._watches: dict[asyncio.Queue[bytes | None], tuple[str, int]] = {}  # node, and the version it began with
        self._closing, self._changed = asyncio.Event(), asyncio.Event()
        self._port = 0
        app = web.Application()
        app.router.add_get("/api/v1/pods", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        self._site: web.SockSite | None = None

    # -- life

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.break_watches()
        await self._runner.cleanup()

    async def listen(self) -> None:
        """Accept connections; after `kill` on the same port as before."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._site = web.SockSite(self._runner, listener, ssl_context=self._context)
        await self._site.start()

    async def kill(self) -> None:
        """Go away: new connections are refused, open ones break; the pods are kept."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self.break_watches()

    @property
    def is_listening(self) -> bool:
        """Whether it accepts connections."""
        return self._site is not None

    def break_watches(self) -> None:
        """Break every connection."""
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self._port

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self._port}"

    # -- contents

    @property
    def version(self) -> str:
        """The latest resource version."""
        return str(self._version)

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def put(self, pod: Pod) -> Pod:
        """Create or change a pod."""
        kind = "MODIFIED" if pod.uid in self._pods else "ADDED"
        self._version += 1
        self._pods[pod.uid] = pod, self._version
        self._tell(_Change(self._version, kind, pod))
        return pod

    def label(self, pod: Pod, **labels: str) -> Pod:
        """Change a pod's labels."""
        return self.put(replace(pod, labels={**pod.labels, **labels}))

    def delete(self, pod: Pod) -> None:
        """Delete a pod."""
        self._version += 1
        del self._pods[pod.uid]
        self._tell(_Change(self._version, "DELETED", pod))

    def forget(self) -> None:
        """Drop the history: no version so far can be watched any more."""
        self._version += 1
        self._oldest = self._version
        self._history.clear()

    def go_back(self) -> None:
        """Be another server, or this one restored from an old backup: versions start lower again.

        Like a real one it accepts a watch from a version in its future, and sends nothing until it has got there.
        """
        self._told = max(self._told, self._version)
        self._version, self._oldest = 100, 0
        self._history.clear()
        self._pods = {uid: (pod, self._version) for uid, (pod, _) in self._pods.items()}

    # -- open watches

    def bookmark(self) -> None:
        """Send a bookmark."""
        for watch, (_, since) in self._watches.items():
            if since <= self._version:
                watch.put_nowait(event("BOOKMARK", {"resourceVersion": self.version}))

    def say(self, text: bytes) -> None:
        """Send any bytes: part of an event, or no event at all."""
        for watch in self._watches:
            watch.put_nowait(text)

    def end_watches(self) -> None:
        """End them, as at their timeout."""
        for watch in self._watches:
            watch.put_nowait(None)

    def _tell(self, change: _Change) -> None:
        self._history.append(change)
        for watch, (node, since) in self._watches.items():
            if node == change.pod.node and since < change.version:
                watch.put_nowait(event(change.kind, change.pod.metadata(change.version)))

    # -- requests

    async def until(self, reached: Callable[[], object], within: float = 10) -> None:
        """Wait until `reached`, checked whenever a request comes and a watch opens or ends. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while not reached():
                self._changed.clear()
                await self._changed.wait()

    def verbs(self) -> list[Verb]:
        """The requests, in order."""
        return [asked.verb for asked in self.asked]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = Asked("watch" if "watch" in request.query else "list", dict(request.query), request.headers.copy())
        self.asked.append(asked)
        self._changed.set()
        if fault := self.script.popleft() if self.script else self.fault:
            arrival = Arrival(request, b"", (), lambda: self._list(asked), self._closing)
            if response := await fault(arrival):
                return response
        try:
            return self._refusal(asked) or (
                self._list(asked) if asked.verb == "list" else await self._watch(request, asked)
            )
        except (KeyError, ValueError) as error:
            self.violations.append(f"{asked.verb} {asked.query}: {error!r}")
            return refused(400, "BadRequest", repr(error))

    def _refusal(self, asked: Asked) -> web.Response | None:
        scheme, _, token = asked.headers.get("Authorization", "").partition(" ")
        if self.tokens is not None and (scheme != "Bearer" or token not in self.tokens):
            return refused(401, "Unauthorized", "Unauthorized")
        if asked.verb in self.forbids:
            return refused(403, "Forbidden", f'pods is forbidden: cannot {asked.verb} resource "pods" in API group ""')
        return None

    def _list(self, asked: Asked) -> web.Response:
        if asked.query["resourceVersion"] != "0":
            raise ValueError("a list that does not come from the cache")
        node = asked.node
        partial = asked.wants_metadata_only() and self.partial
        text = orjson.dumps(
            {
                "kind": "PartialObjectMetadataList" if partial else "PodList",
                "apiVersion": "meta.k8s.io/v1" if partial else "v1",
                "metadata": {"resourceVersion": self.version},
                "items": [
                    {"metadata": pod.metadata(version), **({} if partial else REST)}
                    for pod, version in self._pods.values()
                    if pod.node == node
                ],
            }
        )
        response = web.Response(body=text, content_type="application/json")
        if len(text) >= COMPRESSED_FROM:
            response.enable_compression()
        return response

    async def _watch(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        since, seconds = int(asked.query["resourceVersion"]), float(asked.query["timeoutSeconds"])
        node, _ = asked.node, asked.wants_metadata_only()
        if since == 0 or since > max(self._version, self._told):
            raise ValueError("a watch from a version that no list or watch has told")
        expired = since < self._oldest
        if expired and self.expires == "by status":
            return refused(410, "Expired", f"too old resource version: {since}")
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if expired:
            await response.write(orjson.dumps({"type": "ERROR", "object": failure(410, "Expired", "too old")}) + b"\n")
            return response
        await self._follow(response, since, node, seconds)
        return response

    async def _follow(self, response: web.StreamResponse, since: int, node: str, seconds: float) -> None:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        for past in self._past(since, node):
            queue.put_nowait(past)
        self._watches[queue] = node, since
        self._changed.set()
        try:
            async with asyncio.timeout(seconds):
                while (text := await queue.get()) is not None:
                    await response.write(text)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            del self._watches[queue]
            self._changed.set()

    def _past(self, since: int, node: str) -> Iterator[bytes]:
        for change in self._history:
            if change.version > since and change.pod.node == node:
                yield event(change.kind, change.pod.metadata(change.version))
