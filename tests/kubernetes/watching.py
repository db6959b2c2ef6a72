"""A Reflector at work against the API server's stand-in, and what it has learnt."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from lab.kubernetes import ApiServer
from lab.pods import Pod
from shipper import backoff
from shipper.kubernetes.client import Connect, Get, Query
from shipper.kubernetes.errors import ApiErrors, ApiRefused
from shipper.kubernetes.reflector import MAX_EVENT, Reflector, Waits
from shipper.kubernetes.requests import MAX_PAGE, pods_of
from shipper.kubernetes.timing import ApiTiming
from shipper.metrics import Metrics
from shipper.source.pod_watch import WITHOUT_LABELS
from shipper.source.pods import Pods

FAST = ApiTiming(
    first_request=(0.0, 0.0),
    between_watches=(0.0, 0.01),
    first_backoff=0.01,
    longest_backoff=0.02,
    longest_search=0.02,
    debounce=0.001,
)

CHECKOUT = Pod("shop", "checkout-1", uid="u-1", labels={"app": "checkout"})
LEDGER = Pod("shop", "ledger-0", uid="u-2", labels={"app": "ledger"})


class NotedErrors(ApiErrors):
    """Sets an event whenever it has counted one."""

    def __init__(self, metrics: Metrics, changed: asyncio.Event) -> None:
        super().__init__(metrics.kubernetes_errors, WITHOUT_LABELS)
        self._changed = changed

    def expired(self) -> None:
        super().expired()
        self._changed.set()

    def refused(self, refused: ApiRefused) -> None:
        super().refused(refused)
        self._changed.set()

    def failed(self, error: Exception) -> None:
        super().failed(error)
        self._changed.set()


class Watching:
    """One watch, its pods and its errors."""

    def __init__(
        self,
        connect: Connect,
        timing: ApiTiming = FAST,
        *,
        waits: Waits = backoff.waits,
        max_page: int = MAX_PAGE,
        max_event: int = MAX_EVENT,
    ) -> None:
        self._changed = asyncio.Event()
        self.metrics = Metrics()
        self.pods = Pods(lambda pod: dict(pod.labels or {}), self.metrics)
        self.watch = Reflector(
            pods_of("node-1"),
            self.pods,
            NotedErrors(self.metrics, self._changed),
            self._changed.set,
            connect,
            timing,
            waits=waits,
            max_page=max_page,
            max_event=max_event,
        )

    def app(self, pod: Pod) -> str | None:
        """The `app` that a target of this pod would get now."""
        return (self.pods.ask(f"{pod.namespace}_{pod.name}_{pod.uid}/istio-proxy") or {}).get("app")

    def errors(self, reason: str) -> float:
        """How many were counted."""
        return self.metrics.registry.get_sample_value("shipper_kubernetes_errors_total", {"reason": reason}) or 0.0

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something that a list, an event or an error causes."""
        async with asyncio.timeout(20):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        try:
            yield
            assert not task.done()  # whatever happens, it goes on
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def connecting(api: ApiServer) -> Connect:
    """Connects to this server without a configuration."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Get]:
        async with aiohttp.ClientSession(api.url) as session:

            async def get(
                path: str, query: Query, headers: Mapping[str, str], within: aiohttp.ClientTimeout
            ) -> aiohttp.ClientResponse:
                return await session.get(path, params=query, headers=headers, timeout=within)

            yield get

    return connect
