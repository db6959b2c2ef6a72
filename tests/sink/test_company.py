"""Who waits for company, how long, and who goes first when memory is needed. No network, and no time but the test's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import snappy

from shipper.config import BackoffConfig, ClientConfig, Seconds
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.model import Kept
from shipper.push_pb2 import PushRequest
from shipper.sink.answers.status import Refused, StreamLimited, Trouble
from shipper.sink.sender import Sender
from tests.tickets import ticket

WALL = 10**18


class Scene:
    """A sender whose pushes are answered by hand."""

    def __init__(self, clock: Any, **changes: Any) -> None:
        self.clock = clock
        self.pushed: list[tuple[str, int]] = []  # stream, entries
        self.answers: dict[str, asyncio.Future[Trouble | None]] = {}
        self.by_hand = False
        config = ClientConfig(
            **{"url": "http://loki.invalid", "batchwait": Seconds(1), "backoff_config": BackoffConfig()} | changes
        )
        self.sender = Sender(config, self._push, Metrics(), clock=clock, wall=lambda: WALL)

    async def _push(self, body: bytes) -> Trouble | None:
        (stream,) = PushRequest.FromString(snappy.uncompress(body)).streams
        self.pushed.append((stream.labels, len(stream.entries)))
        if not self.by_hand:
            return None
        answer = self.answers[stream.labels] = asyncio.get_running_loop().create_future()
        return await answer

    def put(self, labels: str, entries: int = 1, size: int = 10) -> None:
        some = Kept([WALL] * entries, [b"x" * size] * entries)
        self.sender.put(Entries(labels, some, ticket()))

    async def answer(self, labels: str, trouble: Trouble | None = None) -> None:
        self.answers.pop(labels).set_result(trouble)
        await self.clock.pass_by()

    async def news(self, seconds: float = 0.0) -> list[str]:
        """The streams that are pushed while so much time passes."""
        before = len(self.pushed)
        await self.clock.pass_by(seconds)
        return [labels for labels, _ in self.pushed[before:]]


@pytest.fixture
def playing(clock: Any) -> Any:
    @asynccontextmanager
    async def play(**changes: Any) -> AsyncIterator[Scene]:
        scene = Scene(clock, **changes)
        async with asyncio.TaskGroup() as group:
            group.create_task(scene.sender.run())
            await clock.pass_by()
            yield scene
            await scene.sender.close(0)

    return play


# -- how long


async def test_a_first_entry_waits_a_tenth_of_a_second(playing: Any) -> None:
    async with playing() as scene:
        scene.put("a")
        assert await scene.news(0.09) == []
        scene.put("a")
        assert await scene.news(0.02) == ["a"]
    assert scene.pushed == [("a", 2)]


async def test_while_more_is_to_come_it_waits_as_long_as_it_may(playing: Any) -> None:
    async with playing() as scene:
        scene.sender.backlog(True)
        scene.put("a")
        assert await scene.news(0.99) == []
        assert await scene.news(0.02) == ["a"]


async def test_what_waits_when_that_is_known_waits_longer_too(playing: Any) -> None:
    async with playing() as scene:
        scene.put("a")
        await scene.clock.pass_by(0.05)
        scene.sender.backlog(True)
        assert await scene.news(0.94) == []
        assert await scene.news(0.02) == ["a"]


async def test_of_what_is_full_nothing_waits_even_then(playing: Any) -> None:
    async with playing(batchsize=1024) as scene:
        scene.sender.backlog(True)
        scene.put("a", size=600)
        assert await scene.news() == []
        scene.put("a", size=600)
        assert await scene.news() == ["a"]
        assert await scene.news(0.99) == [], "the rest has a wait of its own"
        assert await scene.news(0.02) == ["a"]


async def test_while_more_is_to_come_what_came_during_a_request_waits_too(playing: Any) -> None:
    async with playing() as scene:
        scene.by_hand = True
        scene.put("a")
        assert await scene.news(0.1) == ["a"]
        scene.sender.backlog(True)
        scene.put("a")
        await scene.clock.pass_by(0.3)
        await scene.answer("a")
        assert await scene.news(0.69) == []
        scene.put("a")
        assert await scene.news(0.02) == ["a"]
        await scene.answer("a")
    assert scene.pushed == [("a", 1), ("a", 2)]


async def test_what_is_full_when_an_answer_comes_goes_at_once(playing: Any) -> None:
    async with playing(batchsize=1024) as scene:
        scene.by_hand = True
        scene.sender.backlog(True)
        for size in (1024, 600, 600):
            scene.put("a", size=size)
            await scene.clock.pass_by()
        await scene.answer("a")
        assert scene.pushed == [("a", 1), ("a", 1)]


async def test_when_no_more_is_to_come_what_has_waited_long_enough_goes_at_once(playing: Any) -> None:
    async with playing() as scene:
        scene.sender.backlog(True)
        scene.put("long")
        await scene.clock.pass_by(0.5)
        scene.put("short")
        await scene.clock.pass_by(0.05)
        scene.sender.backlog(True)
        assert await scene.news() == []
        scene.sender.backlog(False)
        assert await scene.news() == ["long"]
        assert await scene.news(0.04) == []
        assert await scene.news(0.02) == ["short"]
        scene.put("next")
        assert await scene.news(0.11) == ["next"], "and from then on it is as usual"


async def test_without_a_wait_nothing_waits_whatever_is_to_come(playing: Any) -> None:
    async with playing(batchwait=Seconds(0)) as scene:
        scene.sender.backlog(True)
        scene.put("a")
        assert await scene.news() == ["a"]


async def test_the_end_flushes_all_at_once_and_so_does_the_close(playing: Any) -> None:
    async with playing(max_in_flight=100) as scene:
        scene.sender.backlog(True)
        for number in range(50):
            scene.put(f"{number}")
        assert await scene.news() == []
        scene.sender.flush()
        assert len(await scene.news()) == 50
        scene.put("late")
        assert await scene.news() == ["late"]
    async with playing() as scene:
        scene.sender.backlog(True)
        for number in range(50):
            scene.put(f"{number}")
        closing = asyncio.create_task(scene.sender.close(5.0))
        assert len(await scene.news()) == 50
        await closing


# -- who goes first


async def test_the_fullest_go_first_and_no_more_than_can_at_once(playing: Any) -> None:
    async with playing(max_in_flight=3) as scene:
        scene.by_hand = True
        for number in range(10):
            scene.put(f"{number}", entries=number + 1)
        scene.sender.push_fullest()
        assert sorted(await scene.news()) == ["7", "8", "9"]
        scene.sender.push_fullest()
        assert await scene.news() == []
        await scene.answer("8")
        assert await scene.news() == [], "what is free now may be enough"
        scene.sender.push_fullest()
        assert await scene.news() == ["6"]
        scene.put("0", entries=20)
        await scene.answer("9")
        scene.sender.push_fullest()
        assert await scene.news() == ["0"]


async def test_those_that_are_due_are_counted_among_those_that_can(playing: Any) -> None:
    async with playing(max_in_flight=2) as scene:
        scene.put("due")
        await scene.clock.pass_by(0.05)
        for name in ("small", "big", "bigger"):
            scene.put(name, entries=len(name))
            await scene.clock.pass_by(0.01)
        scene.by_hand = True
        scene.clock.now += 0.03  # nobody has looked yet
        scene.sender.push_fullest()
        assert await scene.news() == ["due", "bigger"]


async def test_a_small_stream_is_passed_over_no_longer_than_it_would_wait(playing: Any) -> None:
    async with playing(max_in_flight=1) as scene:
        scene.sender.backlog(True)
        scene.put("small")
        for _ in range(20):  # always there is a fuller one
            assert "small" not in await scene.news(0.05)
            scene.put("big", entries=100)
            scene.sender.push_fullest()
        scene.put("big", entries=100)
        assert "small" in await scene.news(0.01)


async def test_where_an_answer_frees_nothing_the_next_goes(playing: Any) -> None:
    async with playing(max_in_flight=1) as scene:
        scene.by_hand = True
        for name in ("a", "bb", "ccc"):
            scene.put(name, entries=len(name))
        scene.sender.push_fullest()
        assert await scene.news() == ["ccc"]
        await scene.answer("ccc", StreamLimited("stream_limit", "", retry_after=60.0))
        assert [labels for labels, _ in scene.pushed] == ["ccc", "bb"]
        scene.put("a")
        await scene.answer("bb", StreamLimited("stream_limit", "", retry_after=60.0))
        assert len(scene.pushed) == 2, "more was put: nobody waits for memory"


@pytest.mark.parametrize("trouble", [StreamLimited("stream_limit", "", 60.0), Refused("http_400", "?", 60.0)])
async def test_one_that_backs_off_is_not_asked(playing: Any, trouble: Trouble) -> None:
    async with playing(max_in_flight=1) as scene:
        scene.by_hand = True
        scene.put("limited")
        await scene.clock.pass_by(0.11)
        await scene.answer("limited", trouble)
        scene.put("limited", entries=50)
        scene.put("free")
        scene.sender.push_fullest()
        assert await scene.news() == ["free"]
