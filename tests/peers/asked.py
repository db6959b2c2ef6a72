"""A directory as the asking half sees it, in memory, and a time that passes only where something waits for it."""

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from shipper.metrics import Metrics
from shipper.peers.client import Ask
from shipper.peers.questions import Questions
from shipper.peers.timing import PeerTiming
from shipper.pipeline.workloads import Answer

T = TypeVar("T")
ADDRESS = "10.0.1.20"
CLIENT = {"peer_kind": "pod", "peer_namespace": "default", "peer_pod": "legacy-client", "peer_app": "legacy"}
TIMING = PeerTiming(linger=0.01, requests=4, questions=3, first_backoff=0.1, longest_backoff=10.0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in which all waiting is over at once, and its clock says that the time has passed."""

    def __init__(self) -> None:
        self._now = 1000.0
        selector = selectors.DefaultSelector()
        select = selector.select

        def at_once(timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            assert timeout is not None, "nothing will ever happen"
            self._now += timeout
            return select(0)

        selector.select = at_once  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        return self._now


def virtually(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end in virtual time; an hour of it is too long."""

    async def limited() -> T:
        async with asyncio.timeout(3600):
            return await main()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(limited())


def now() -> float:
    return asyncio.get_running_loop().time()


def within(seconds: float) -> float:
    """A deadline."""
    return now() + seconds


class Directory:
    """Answers after `takes` seconds with what `says` says; keeps what it was asked."""

    def __init__(self, says: Callable[[str, int], Answer | None] | None = None, takes: float = 0.0) -> None:
        self.says = says or (lambda _, at: Answer(CLIENT, 0, at + 1))
        self.takes = takes
        self.failure: Exception | None = None
        self.asked: list[list[tuple[str, int]]] = []
        self.times: list[float] = []  # when
        self.under_way = self.most_under_way = 0
        self.is_connected = False

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Ask]:
        self.is_connected = True
        try:
            yield self.ask
        finally:
            self.is_connected = False

    async def ask(self, questions: Sequence[tuple[str, int]]) -> list[Answer | None]:
        self.asked.append(list(questions))
        self.times.append(now())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.takes)
            if self.failure:
                raise self.failure
            return [self.says(*question) for question in questions]
        finally:
            self.under_way -= 1


@asynccontextmanager
async def asking(directory: Directory, **timing: Any) -> AsyncIterator[tuple[Questions, Metrics]]:
    """Questions that are asked meanwhile."""
    metrics = Metrics()
    questions = Questions(directory.connect, metrics, replace(TIMING, **timing))
    task = asyncio.create_task(questions.run())
    try:
        yield questions, metrics
        assert not task.done()  # whatever happens, it goes on
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def requests(metrics: Metrics) -> dict[str, int]:
    """How many requests there were, by outcome."""
    samples = (sample for family in metrics.directory_requests.collect() for sample in family.samples)
    return {one.labels["outcome"]: int(one.value) for one in samples if one.name.endswith("_total")}


def away(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("shipper_directory_away")
