"""A stand-in for the Kubernetes API server: list and watch of pods and nodes, over HTTP or HTTPS.

    async with ApiServer() as api:
        api.put(Pod("shop", "checkout-7d4b9c6f5d-x2x7k", node="node-1", labels={"app": "checkout"}))
        api.script += [faults.status(500)]  # the next request
        ...
        api.bookmark()
        api.forget()  # older versions are gone from now on: 410

Strict: a request that a well-behaved client does not make gets a 400 and is kept in `violations`. An agent asks for the
pods of its node; with `cluster_wide`, others may ask for all objects, pods page by page.
Facts: kubernetes.io/docs/reference/using-api/api-concepts.
"""

import asyncio
import ssl
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from types import TracebackType
from typing import Literal, Self, TypeVar

import orjson
from aiohttp import web

from lab.faults import Arrival, Fault
from lab.kubernetes_forms import Form, Kind, Object
from lab.kubernetes_lists import Lists, VersionExpired
from lab.kubernetes_requests import Asked, Verb, refused
from lab.kubernetes_watches import Change, Watch
from lab.listener import Listener
from lab.pods import Pod, failure

Made = TypeVar("Made", bound=Object)
COMPRESSED_FROM = 128 << 10  # bytes of a list


class ApiServer:
    """`/api/v1/pods` and `/api/v1/nodes`, with faults on demand."""

    def __init__(
        self, *, context: ssl.SSLContext | None = None, tokens: set[str] | None = None, cluster_wide: bool = False
    ) -> None:
        self.tokens = tokens  # accepted ones; None: any
        self.forbids: set[Verb] = set()  # what the client's role does not allow
        self.expires: Literal["by status", "by event"] = "by event"  # how a 410 is told
        self.forms: frozenset[Form] = frozenset({"Table", "metadata"})  # that it knows beside whole objects
        self.fault: Fault | None = None  # of every request, until changed
        self.script: deque[Fault] = deque()  # used first, one per request
        self.asked: list[Asked] = []
        self.violations: list[str] = []
        self._context, self._cluster_wide = context, cluster_wide
        self._version, self._oldest = 1000, 0
        self._told = 0  # the highest version told before it went back
        self._objects: dict[str, tuple[Object, int]] = {}
        self._lists = Lists()
        self._history: list[Change] = []
        self._watches: list[Watch] = []
        self._closing, self._changed = asyncio.Event(), asyncio.Event()
        app = web.Application()
        app.router.add_get("/api/v1/{kind:pods|nodes}", self._answer)
        self._listener = Listener(app, context=context, handler_cancellation=True)

    # -- life

    async def __aenter__(self) -> Self:
        await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.break_watches()
        await self._listener.close()

    async def listen(self) -> None:
        """Accept connections; after `kill` on the same port as before."""
        await self._listener.listen()

    async def kill(self) -> None:
        """Go away: new connections are refused, open ones break; the pods are kept."""
        await self._listener.kill()

    @property
    def is_listening(self) -> bool:
        """Whether it accepts connections."""
        return self._listener.is_listening

    def break_watches(self) -> None:
        """Break every connection."""
        self._listener.break_connections()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self._listener.port

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self._listener.port}"

    # -- contents

    @property
    def version(self) -> str:
        """The latest resource version."""
        return str(self._version)

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return len(self._watches)

    def put(self, made: Made) -> Made:
        """Create or change an object."""
        kind = "MODIFIED" if made.uid in self._objects else "ADDED"
        self._version += 1
        self._objects[made.uid] = made, self._version
        self._tell(Change(self._version, kind, made))
        return made

    def label(self, pod: Pod, **labels: str) -> Pod:
        """Change a pod's labels."""
        return self.put(replace(pod, labels={**pod.labels, **labels}))

    def delete(self, made: Object) -> None:
        """Delete an object."""
        self._version += 1
        del self._objects[made.uid]
        self._tell(Change(self._version, "DELETED", made))

    def forget(self) -> None:
        """Drop the history: no version so far can be watched any more."""
        self._version += 1
        self._oldest = self._version
        self._history.clear()
        self._lists.forget()

    def go_back(self) -> None:
        """Be another server, or this one restored from an old backup: versions start lower again.

        Like a real one it accepts a watch from a version in its future, and sends nothing until it has got there.
        """
        self._told = max(self._told, self._version)
        self._version, self._oldest = 100, 0
        self._history.clear()
        self._lists.forget()
        self._objects = {uid: (made, self._version) for uid, (made, _) in self._objects.items()}

    # -- open watches

    def bookmark(self) -> None:
        """Send a bookmark."""
        for watch in self._watches:
            watch.bookmark(self._version)

    def say(self, text: bytes) -> None:
        """Send any bytes: part of an event, or no event at all."""
        for watch in self._watches:
            watch.queue.put_nowait(text)

    def end_watches(self) -> None:
        """End them, as at their timeout."""
        for watch in self._watches:
            watch.queue.put_nowait(None)

    def _tell(self, change: Change) -> None:
        self._history.append(change)
        for watch in self._watches:
            if watch.concerns(change):
                watch.tell(change)

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
        kind: Kind = "pods" if request.match_info["kind"] == "pods" else "nodes"
        verb: Verb = "watch" if "watch" in request.query else "list"
        asked = Asked(verb, kind, dict(request.query), request.headers.copy())
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
            message = f'{asked.kind} is forbidden: cannot {asked.verb} resource "{asked.kind}" in API group ""'
            return refused(403, "Forbidden", message)
        if not asked.node and not self._cluster_wide:
            raise ValueError("objects of other nodes were asked for")
        return None

    def _list(self, asked: Asked) -> web.Response:
        if asked.kind == "pods" and not asked.node and "limit" not in asked.query:
            raise ValueError("all pods at once")
        found = (one for one in self._objects.values() if asked.selects(one[0]))
        try:
            text = self._lists.text(asked.form(self.forms), asked.kind, asked.query, self.version, found)
        except VersionExpired:
            return refused(410, "Expired", "The provided continue parameter is too old")
        response = web.Response(body=text, content_type="application/json")
        if len(text) >= COMPRESSED_FROM:
            response.enable_compression()
        return response

    async def _watch(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        since, seconds = int(asked.query["resourceVersion"]), float(asked.query["timeoutSeconds"])
        watch = Watch(asked, asked.form(self.forms), since)
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
        await self._follow(response, watch, seconds)
        return response

    async def _follow(self, response: web.StreamResponse, watch: Watch, seconds: float) -> None:
        first = bisect_right(self._history, watch.since, key=attrgetter("version"))
        for past in self._history[first:]:
            if watch.concerns(past):
                watch.tell(past)
        self._watches.append(watch)
        self._changed.set()
        try:
            async with asyncio.timeout(seconds):
                while (text := await watch.queue.get()) is not None:
                    await response.write(text)
        except (TimeoutError, ConnectionError):
            pass
        finally:
            self._watches.remove(watch)
            self._changed.set()
