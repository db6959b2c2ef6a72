"""Tasks that take work while there is any."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shipper.sink.workers import Workers


class Bench:
    """Work that is done when the test says so."""

    def __init__(self, most: int) -> None:
        self.waiting: deque[str] = deque()
        self.under_way: dict[str, asyncio.Event] = {}
        self.tasks: set[asyncio.Task[None] | None] = set()
        self.looks = 0
        self.workers = Workers(most, self._take, self._do)

    def _take(self) -> str | None:
        self.looks += 1
        return self.waiting.popleft() if self.waiting else None

    async def _do(self, work: str) -> None:
        self.tasks.add(asyncio.current_task())
        self.under_way[work] = asyncio.Event()
        await self.under_way[work].wait()
        del self.under_way[work]
        if work == "broken":
            raise RuntimeError("a mistake of ours")

    async def bring(self, *work: str) -> None:
        self.waiting += work
        self.workers.rouse(len(work))
        await self.settle()

    async def finish(self, work: str) -> None:
        self.under_way[work].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            self.workers.start(group)
            yield
            self.workers.stop()


async def test_no_more_at_once_than_allowed_and_who_is_done_takes_the_next() -> None:
    bench = Bench(2)
    async with bench.at_work():
        await bench.bring("a", "b", "c")
        assert [*bench.under_way] == ["a", "b"]
        assert (bench.workers.free, bench.workers.are_idle) == (0, False)
        await bench.finish("a")
        assert [*bench.under_way] == ["b", "c"]
        await bench.finish("b")
        await bench.finish("c")
        assert (bench.workers.free, bench.workers.are_idle) == (2, True)


async def test_what_comes_one_after_the_other_is_done_by_one() -> None:
    bench = Bench(8)
    async with bench.at_work():
        for work in "abcde":
            await bench.bring(work)
            await bench.finish(work)
        assert len(bench.tasks) == 1
        assert bench.looks == 10, "one look for each, and one to see that there is no more"


async def test_one_call_rouses_no_more_than_are_asked_for() -> None:
    bench = Bench(8)
    async with bench.at_work():
        bench.waiting += "ab"
        for number in (1, 1, 2, 2):
            bench.workers.rouse(number)
        await bench.settle()
        assert [*bench.under_way] == ["a", "b"]
        assert len(bench.tasks) == bench.looks == 2


async def test_who_is_stopped_ends_with_what_it_does() -> None:
    bench = Bench(2)
    async with bench.at_work():
        await bench.bring("a", "b")
        await bench.finish("b")
        assert [*bench.under_way] == ["a"]
    bench.workers.rouse(1)
    assert all(task and task.done() for task in bench.tasks)


async def test_one_that_fails_fails_all_and_rousing_the_others_is_harmless() -> None:
    bench = Bench(3)

    async def fail() -> None:
        async with bench.at_work():
            await bench.bring("a", "broken", "c")
            await bench.finish("c")
            bench.under_way["broken"].set()
            while not any(task and task.done() for task in bench.tasks):
                await asyncio.sleep(0)
            bench.workers.rouse(3)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await fail()
    assert all(task and task.done() for task in bench.tasks)
