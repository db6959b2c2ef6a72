"""When each stream pushes, and which goes first. No network, and no time but the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count, repeat

import pytest

from shipper.entries import Entries
from shipper.model import Columns
from shipper.sink.answers.status import BadRequest, PushError, StreamLimited, Unavailable
from shipper.sink.batch import Held
from shipper.sink.destination import Destination, RequestSize
from shipper.sink.newest import Newest
from shipper.sink.queue import Queue
from shipper.sink.schedule import LINGER, Schedule
from shipper.sink.stream import Stream
from tests.sink.clock import Clock
from tests.tickets import ticket

WALL = 10**18
UNKNOWN = BadRequest("http_400", "?", retry_after=60.0)
LIMITED = StreamLimited("stream_limit", "", retry_after=60.0)
DOWN = Unavailable("http_503")


class Scene:
    """A schedule, and workers whose requests are answered at once, or by the test."""

    def __init__(self, clock: Clock, workers: int, batchwait: float, batchsize: int) -> None:
        self.clock = clock
        self.pushed: list[tuple[str, int]] = []  # stream, entries
        self.answers: dict[str, asyncio.Future[PushError | None]] = {}
        self.by_hand = False
        self.workers: list[asyncio.Task[None]] = []
        self.have_pushed: set[asyncio.Task[None] | None] = set()
        self.streams: dict[str, Stream] = {}
        self.destination = Destination(lambda: repeat(1.0), clock)
        self._size = RequestSize(batchsize, clock)
        self.newest = Newest()
        self.schedule = Schedule(
            self.destination,
            self._size,
            lambda: map(float, count(1)),
            self.newest,
            workers=workers,
            batchwait=batchwait,
            linger=LINGER,
            clock=clock,
        )

    async def work(self) -> None:
        while True:
            stream, attempt = await self.schedule.next()
            batch = stream.next(self.clock(), self._size.limit, None, WALL)
            self.pushed.append((stream.labels, len(batch)))
            self.have_pushed.add(asyncio.current_task())
            error = await self._answer(stream.labels) if self.by_hand else None
            if isinstance(error, Unavailable):
                self.destination.failed(attempt, error)
            else:
                self.destination.works(attempt, stored=error is None)
            if isinstance(error, StreamLimited | BadRequest):
                self.schedule.back_off(stream, error.retry_after)
            if isinstance(error, BadRequest):
                stream.hold((batch, Held(repeat(1.0), until=self.clock() + error.retry_after)))
            elif error is not None:
                stream.give_back(batch)
            self.schedule.done(stream, stored=error is None)

    async def _answer(self, labels: str) -> PushError | None:
        answer: asyncio.Future[PushError | None] = asyncio.get_running_loop().create_future()
        self.answers[labels] = answer
        return await answer

    def put(self, labels: str, entries: int = 1, size: int = 10) -> None:
        stream = self.streams.setdefault(labels, Stream(labels))
        some = Columns([WALL] * entries, [b"x" * size] * entries)
        self.schedule.add(stream, Entries(labels, some, ticket()))

    async def answer(self, labels: str, error: PushError | None = None) -> None:
        self.answers.pop(labels).set_result(error)
        await self.clock.pass_by()

    async def news(self, seconds: float = 0.0) -> list[str]:
        """The streams that are pushed while so much time passes."""
        before = len(self.pushed)
        await self.clock.pass_by(seconds)
        return [labels for labels, _ in self.pushed[before:]]


Playing = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def playing(clock: Clock) -> Playing:
    @asynccontextmanager
    async def play(workers: int = 8, batchwait: float = 1.0, batchsize: int = 1 << 20) -> AsyncIterator[Scene]:
        scene = Scene(clock, workers, batchwait, batchsize)
        async with asyncio.TaskGroup() as group:
            scene.workers = [group.create_task(scene.work()) for _ in range(workers)]
            await clock.pass_by()
            yield scene
            for worker in scene.workers:
                worker.cancel()
        scene.schedule.stop()
        assert clock.timers() == 0

    return play


# -- the linger


async def test_a_first_entry_waits_a_tenth_of_a_second(playing: Playing) -> None:
    async with playing() as scene:
        scene.put("a")
        assert await scene.news(0.09) == []
        scene.put("a")
        assert await scene.news(0.02) == ["a"]
        assert scene.pushed == [("a", 2)]


async def test_with_a_backlog_it_waits_for_batchwait(playing: Playing) -> None:
    async with playing() as scene:
        scene.schedule.backlog(True)
        scene.put("a")
        assert await scene.news(0.99) == []
        assert await scene.news(0.02) == ["a"]


async def test_a_backlog_lengthens_the_linger_of_what_waits_already(playing: Playing) -> None:
    async with playing() as scene:
        scene.put("a")
        await scene.clock.pass_by(0.05)
        scene.schedule.backlog(True)
        assert await scene.news(0.94) == []
        assert await scene.news(0.02) == ["a"]


async def test_what_fills_a_request_does_not_wait_even_then(playing: Playing) -> None:
    async with playing(batchsize=1024) as scene:
        scene.schedule.backlog(True)
        scene.put("a", size=600)
        assert await scene.news() == []
        scene.put("a", size=600)
        assert await scene.news() == ["a"]
        assert await scene.news(0.99) == [], "the rest has a linger of its own"
        assert await scene.news(0.02) == ["a"]


async def test_what_came_during_a_request_does_not_wait(playing: Playing) -> None:
    async with playing() as scene:
        scene.by_hand = True
        scene.put("a")
        assert await scene.news(0.1) == ["a"]
        scene.put("a")
        scene.put("a")
        assert await scene.news(5.0) == [], "one request at a time"
        await scene.answer("a")
        assert scene.pushed == [("a", 1), ("a", 2)]


async def test_with_a_backlog_what_came_during_a_request_waits_too(playing: Playing) -> None:
    async with playing() as scene:
        scene.by_hand = True
        scene.put("a")
        assert await scene.news(0.1) == ["a"]
        scene.schedule.backlog(True)
        scene.put("a")
        await scene.clock.pass_by(0.3)
        await scene.answer("a")
        assert await scene.news(0.69) == []
        scene.put("a")
        assert await scene.news(0.02) == ["a"]
        assert scene.pushed == [("a", 1), ("a", 2)]


async def test_what_is_full_when_an_answer_comes_goes_at_once(playing: Playing) -> None:
    async with playing(batchsize=1024) as scene:
        scene.by_hand = True
        scene.schedule.backlog(True)
        for size in (1024, 600, 600):
            scene.put("a", size=size)
            await scene.clock.pass_by()
        await scene.answer("a")
        assert scene.pushed == [("a", 1), ("a", 1)]


async def test_at_the_end_of_a_backlog_what_has_waited_long_enough_goes_at_once(playing: Playing) -> None:
    async with playing() as scene:
        scene.schedule.backlog(True)
        scene.put("long")
        await scene.clock.pass_by(0.5)
        scene.put("short")
        await scene.clock.pass_by(0.05)
        scene.schedule.backlog(True)
        assert await scene.news() == []
        scene.schedule.backlog(False)
        assert await scene.news() == ["long"]
        assert await scene.news(0.04) == []
        assert await scene.news(0.02) == ["short"]
        scene.put("next")
        assert await scene.news(0.11) == ["next"], "and from then on it is as usual"


async def test_without_batchwait_nothing_waits(playing: Playing) -> None:
    async with playing(batchwait=0.0) as scene:
        scene.schedule.backlog(True)
        scene.put("a")
        assert await scene.news() == ["a"]


async def test_a_flush_sends_all_at_once_and_what_comes_later_too(playing: Playing) -> None:
    async with playing(workers=64) as scene:
        scene.schedule.backlog(True)
        for number in range(50):
            scene.put(f"{number}")
        assert await scene.news() == []
        scene.schedule.flush()
        assert len(await scene.news()) == 50
        scene.put("late")
        assert await scene.news() == ["late"]


class Packing(Queue):
    """Counts how often its unpacked copy was dropped."""

    times = 0

    def pack(self) -> None:
        self.times += 1


async def test_a_back_off_holds_the_stream_longer_each_time_or_as_long_as_an_answer_asks(playing: Playing) -> None:
    async with playing() as scene:
        schedule, stream = scene.schedule, Stream("{}")
        stream.queue = queue = Packing("{}")
        schedule.add(stream, Entries("{}", Columns([WALL], [b"x"]), ticket()))
        now = scene.clock()
        assert schedule.due(stream) == now + LINGER
        for wait, asked in ((1.0, 0.0), (2.0, 0.0), (30.0, 30.0), (4.0, 0.0)):
            schedule.back_off(stream, asked)
            assert schedule.due(stream) == now + wait
        schedule.end_back_off(stream)
        assert schedule.due(stream) == now + LINGER
        schedule.back_off(stream, 0.0)
        assert schedule.due(stream) == now + 1.0
        assert queue.times == 5, "nothing is cut for a while"


# -- who goes first


async def test_the_stream_that_has_waited_longest_goes_first(playing: Playing) -> None:
    async with playing(workers=1) as scene:
        scene.by_hand = True
        scene.put("first")
        await scene.clock.pass_by(LINGER)
        for name in ("old", "young", "youngest"):
            scene.put(name)
            await scene.clock.pass_by(0.01)
        scene.schedule.push_fullest()  # no worker is idle
        scene.put("old")  # its age is that of its oldest entry
        await scene.clock.pass_by(5.0)
        for name in ("first", "old", "young", "youngest"):
            assert scene.pushed[-1][0] == name
            await scene.answer(name)


async def test_no_more_at_once_than_there_are_workers(playing: Playing) -> None:
    async with playing(workers=3, batchwait=0.0) as scene:
        scene.by_hand = True
        for name in "abcde":
            scene.put(name)
        assert sorted(await scene.news()) == ["a", "b", "c"]
        await scene.answer("b")
        assert [labels for labels, _ in scene.pushed[3:]] == ["d"]


async def test_one_worker_does_what_comes_one_after_the_other(playing: Playing) -> None:
    async with playing(batchwait=0.0) as scene:
        for name in "abcab":
            scene.put(name)
            assert await scene.news() == [name]
        assert len(scene.have_pushed) == 1


async def test_a_worker_that_has_ended_gets_nothing(playing: Playing) -> None:
    async with playing(workers=2, batchwait=0.0) as scene:
        scene.workers[-1].cancel()
        scene.put("a")
        assert await scene.news() == ["a"]
        scene.put("a")
        assert await scene.news() == ["a"]


async def test_what_was_put_before_there_is_a_worker_goes_with_the_first(clock: Clock) -> None:
    scene = Scene(clock, workers=1, batchwait=0.0, batchsize=1 << 20)
    scene.put("a")
    assert not scene.schedule.is_idle_until(clock() + 1.0)
    worker = asyncio.create_task(scene.work())
    assert await scene.news() == ["a"]
    assert scene.schedule.is_idle_until(clock() + 1.0)
    worker.cancel()


# -- the budget is used up


async def test_the_fullest_go_first_and_no_more_than_can_at_once(playing: Playing) -> None:
    async with playing(workers=3) as scene:
        scene.by_hand = True
        for number in range(10):
            scene.put(f"{number}", entries=number + 1)
        scene.schedule.push_fullest()
        assert sorted(await scene.news()) == ["7", "8", "9"]
        scene.schedule.push_fullest()
        assert await scene.news() == []
        await scene.answer("8")
        assert await scene.news() == [], "what is free now may be enough"
        scene.schedule.push_fullest()
        assert await scene.news() == ["6"]
        scene.put("0", entries=20)
        await scene.answer("9")
        scene.schedule.push_fullest()
        assert await scene.news() == ["0"]


async def test_those_that_are_due_are_counted_among_those_that_can(playing: Playing) -> None:
    async with playing(workers=2) as scene:
        scene.put("due")
        await scene.clock.pass_by(0.05)
        for name in ("small", "big", "bigger"):
            scene.put(name, entries=len(name))
            await scene.clock.pass_by(0.01)
        scene.by_hand = True
        scene.clock.now += 0.03  # the timer has not rung yet
        scene.schedule.push_fullest()
        assert await scene.news() == ["due", "bigger"]


async def test_a_small_stream_is_passed_over_no_longer_than_it_would_wait(playing: Playing) -> None:
    async with playing(workers=1) as scene:
        scene.schedule.backlog(True)
        scene.put("small")
        for _ in range(20):  # always there is a fuller one
            assert "small" not in await scene.news(0.05)
            scene.put("big", entries=100)
            scene.schedule.push_fullest()
        scene.put("big", entries=100)
        assert "small" in await scene.news(0.01)


async def test_where_an_answer_frees_nothing_the_next_goes(playing: Playing) -> None:
    async with playing(workers=1) as scene:
        scene.by_hand = True
        for name in ("a", "bb", "ccc"):
            scene.put(name, entries=len(name))
        scene.schedule.push_fullest()
        assert await scene.news() == ["ccc"]
        await scene.answer("ccc", LIMITED)
        assert [labels for labels, _ in scene.pushed] == ["ccc", "bb"]
        scene.put("a")
        await scene.answer("bb", LIMITED)
        assert len(scene.pushed) == 2, "more was put: nothing waits for budget"


@pytest.mark.parametrize("error", [LIMITED, UNKNOWN])
async def test_a_stream_that_backs_off_is_not_among_the_fullest(playing: Playing, error: PushError) -> None:
    async with playing(workers=1) as scene:
        scene.by_hand = True
        scene.put("limited")
        await scene.clock.pass_by(0.11)
        await scene.answer("limited", error)
        scene.put("limited", entries=50)
        scene.put("free")
        scene.schedule.push_fullest()
        assert await scene.news() == ["free"]


# -- the destination fails


async def test_while_it_fails_the_oldest_probes_alone_and_all_go_when_it_recovers(playing: Playing) -> None:
    async with playing(batchwait=0.0) as scene:
        scene.by_hand = True
        scene.put("oldest")
        await scene.clock.pass_by(0.01)
        await scene.answer("oldest", DOWN)
        for name in "abc":
            scene.put(name)
        assert await scene.news(0.99) == []
        for _ in range(3):
            assert await scene.news(1.0) == ["oldest"]
            await scene.answer("oldest", DOWN)
        assert await scene.news(1.0) == ["oldest"]
        await scene.answer("oldest")
        assert [labels for labels, _ in scene.pushed[-3:]] == ["a", "b", "c"]


async def test_of_probes_what_was_stored_last_goes_first_and_what_has_failed_last(playing: Playing) -> None:
    async with playing(workers=1, batchwait=0.0) as scene:
        scene.by_hand = True
        scene.put("failed")
        await scene.clock.pass_by()
        for name in ("unknown", "stored", "stored later"):
            scene.put(name)
        scene.newest.sent("stored", WALL)
        scene.newest.sent("stored later", WALL + 1)
        scene.streams["failed"].failures = 1
        await scene.answer("failed", DOWN)
        order = []
        for _ in range(3):
            order += await scene.news(1.0)
            scene.streams[order[-1]].failures += 1
            await scene.answer(order[-1], DOWN)
        assert order == ["stored later", "stored", "unknown"]


async def test_few_streams_that_failed_are_under_way_at_once_and_they_take_turns(playing: Playing) -> None:
    async with playing(workers=8, batchwait=0.0) as scene:
        scene.by_hand = True
        for number in range(8):
            scene.streams[f"failed {number}"] = Stream(f"failed {number}")
            scene.streams[f"failed {number}"].failures, scene.streams[f"failed {number}"].failed_at = 1, -float(number)
            scene.put(f"failed {number}")
        assert await scene.news(1.0) == ["failed 0", "failed 1"]
        for number in range(4):
            scene.put(f"sound {number}")
        assert await scene.news(1.0) == [f"sound {number}" for number in range(4)]
        await scene.answer("failed 0")
        assert await scene.news() == []
        assert scene.pushed[-1] == ("failed 7", 1), "that failed longest ago"


async def test_several_that_fail_together_are_followed_by_one_probe(playing: Playing) -> None:
    async with playing(workers=3, batchwait=0.0) as scene:
        scene.by_hand = True
        for name in "abc":
            scene.put(name)
            await scene.clock.pass_by(0.01)
        for name in "abc":
            await scene.answer(name, DOWN)
        assert await scene.news(1.0) == ["a"]
        assert await scene.news(60.0) == []


async def test_while_it_fails_the_fullest_are_chosen_among_those_that_linger(playing: Playing) -> None:
    async with playing(workers=2, batchwait=5.0) as scene:
        scene.by_hand = True
        scene.put("repeated")
        await scene.clock.pass_by(LINGER)
        scene.schedule.backlog(True)
        await scene.answer("repeated", DOWN)
        scene.put("repeated", entries=50)
        scene.put("lingering")
        scene.schedule.push_fullest()
        assert await scene.news(1.0) == ["repeated"]
        await scene.answer("repeated")
        assert scene.pushed[-1][0] == "lingering"


async def test_while_it_fails_one_timer_is_set_and_not_one_after_the_other(playing: Playing) -> None:
    async with playing(batchwait=0.0) as scene:
        scene.by_hand = True
        scene.put("a")
        await scene.clock.pass_by(0.01)
        before = scene.clock.timers_set
        await scene.answer("a", DOWN)
        assert await scene.news(0.9) == []
        assert scene.clock.timers_set == before + 1


# -- idle costs nothing


async def test_there_is_one_timer_and_none_without_entries(playing: Playing) -> None:
    async with playing(workers=16) as scene:
        assert scene.clock.timers() == 0
        for number in range(10):
            scene.put(f"{number}")
            await scene.clock.pass_by(0.001)
        assert scene.clock.timers() == 1
        assert len(await scene.news(0.2)) == 10
        assert scene.clock.timers() == 0


async def test_an_earlier_time_replaces_the_timers(playing: Playing) -> None:
    async with playing(batchwait=30.0) as scene:
        scene.schedule.backlog(True)
        scene.put("late")
        scene.schedule.backlog(False)
        assert await scene.news(0.1) == ["late"]
