import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import msgspec
import pytest

from shipper.entries import Entries, Ticket
from shipper.model import Columns
from shipper.source.positions.file import Positions
from shipper.source.positions.saver import Saver
from shipper.source.positions.snapshot import Followed, Snapshot
from shipper.source.timing import Timing
from tests.tickets import ticket


class Disk:
    """Stands for the positions: counts saves, each of which ends when the test says so."""

    def __init__(self) -> None:
        self.begun, self.ended = 0, 0
        self.works = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.saved = asyncio.Event()
        self._changed = asyncio.Event()

    async def save(self, targets: Mapping[str, msgspec.Raw]) -> bool:
        self.begun += 1
        self._changed.set()
        await self.gate.wait()
        self.ended += 1
        self.saved.set()
        self._changed.set()
        return self.works

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._changed.clear()
            await self._changed.wait()


class State:
    """Stands for the snapshot."""

    label_generation = 0

    def __init__(self) -> None:
        self.touched: list[Followed] = []

    def touch(self, followed: Followed) -> None:
        self.touched.append(followed)

    def encoded(self) -> Mapping[str, msgspec.Raw]:
        return {}


def make(
    disk: Disk,
    state: State | None = None,
    *,
    after_settling: float = 0.5,
    after_reading: float = 10.0,
    clock: Callable[[], float] = lambda: 100.0,
) -> Saver:
    """A saver for which time stands still, as far as it does not sleep, if no other clock is given."""
    positions, snapshot = cast("Positions", disk), cast("Snapshot", state or State())
    return Saver(positions, snapshot, after_settling=after_settling, after_reading=after_reading, clock=clock)


TARGET = cast("Followed", object())
live = partial(make, clock=time.monotonic)


def needing(generation: int) -> list[Entries]:
    """What is pushed, and was read when the label state had this generation."""
    owner = ticket().owner
    return [Entries("{}", Columns([1], [b"a"]), Ticket(owner, None, 0, label_generation=generation))]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@asynccontextmanager
async def running(saver: Saver) -> AsyncIterator[None]:
    task = asyncio.create_task(saver.run())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_an_ack_is_saved_within_half_a_second() -> None:
    assert Timing().save_after_settling <= 0.5


def test_an_ack_is_saved_sooner_than_what_was_only_read(disk: Disk) -> None:
    saver = make(disk, after_settling=1.0, after_reading=10.0)
    saver.passed_over()
    assert saver.due == 110.0
    saver.settled(TARGET)
    assert saver.due == 101.0
    saver.passed_over()
    assert saver.due == 101.0


async def test_acks_are_saved_together(disk: Disk) -> None:
    saver = live(disk, after_settling=0.01)
    async with running(saver), asyncio.timeout(20):
        for _ in range(100):
            saver.settled(TARGET)
        await disk.saved.wait()
    assert disk.begun == 1


async def test_an_ack_while_reading_is_waited_for_is_saved_soon(disk: Disk) -> None:
    saver = live(disk, after_settling=0.01)
    async with running(saver), asyncio.timeout(20):
        saver.passed_over()
        await asyncio.sleep(0)  # it waits for ten seconds by now
        saver.settled(TARGET)
        await disk.saved.wait()


async def test_an_ack_while_it_is_being_saved_is_saved_again(disk: Disk) -> None:
    saver = live(disk, after_settling=0.0)
    disk.gate.clear()
    async with running(saver), asyncio.timeout(20):
        saver.settled(TARGET)
        await disk.until(lambda: disk.begun == 1)
        saver.settled(TARGET)
        disk.gate.set()
        await disk.until(lambda: disk.ended == 2)


async def test_what_could_not_be_saved_is_saved_later(disk: Disk) -> None:
    disk.works = False
    saver = make(disk, after_reading=10.0)
    await saver.save()
    assert saver.due == 110.0


async def test_nothing_is_pushed_before_what_its_labels_depend_on_is_saved(disk: Disk) -> None:
    state = State()
    saver = make(disk, state)
    state.label_generation += 1
    disk.gate.clear()
    pushes = [asyncio.create_task(saver.before_push(needing(1))) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(push.done() for push in pushes)
    disk.gate.set()
    await asyncio.gather(*pushes)
    assert (disk.begun, disk.ended) == (1, 1)


async def test_a_change_while_it_is_being_saved_is_saved_before_its_push(disk: Disk) -> None:
    state = State()
    saver = make(disk, state)
    state.label_generation += 1
    disk.gate.clear()
    first = asyncio.create_task(saver.before_push(needing(1)))
    await asyncio.sleep(0)
    state.label_generation += 1
    second = asyncio.create_task(saver.before_push(needing(2)))
    await asyncio.sleep(0)
    disk.gate.set()
    await asyncio.gather(first, second)
    assert disk.ended == 2


async def test_what_was_read_before_a_save_needs_no_other(disk: Disk) -> None:
    state = State()
    saver = make(disk, state)
    state.label_generation = 3
    await saver.before_push(needing(1))
    state.label_generation = 4  # another log was found meanwhile
    await saver.before_push(needing(2) + needing(3))
    assert disk.begun == 1
    await saver.before_push(needing(3) + needing(4))
    assert disk.begun == 2


async def test_a_save_that_is_under_way_serves_a_push_that_waits(disk: Disk) -> None:
    state = State()
    saver = live(disk, state, after_settling=0.0)
    disk.gate.clear()
    state.label_generation = 1
    async with running(saver), asyncio.timeout(20):
        saver.settled(TARGET)
        await disk.until(lambda: disk.begun == 1)
        push = asyncio.create_task(saver.before_push(needing(1)))
        await asyncio.sleep(0)
        disk.gate.set()
        await push
    assert disk.begun == 1


async def test_a_push_under_known_labels_waits_for_nothing(disk: Disk) -> None:
    await make(disk).before_push(needing(0))
    assert disk.begun == 0


async def test_a_full_disk_stops_no_push(disk: Disk) -> None:
    state = State()
    saver = make(disk, state)
    state.label_generation, disk.works = 1, False
    await saver.before_push(needing(1))
    assert disk.ended == 1


def test_a_target_whose_entries_are_settled_is_encoded_anew(disk: Disk) -> None:
    state = State()
    saver = make(disk, state)
    saver.passed_over()
    assert state.touched == []
    saver.settled(TARGET)
    assert state.touched == [TARGET]
