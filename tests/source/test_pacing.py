import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shipper.source.discovery.inotify import CHANGES, WRITES, Watcher
from shipper.source.pacing import Pacing
from shipper.source.timing import Timing

FOR_EVER = 1e6  # seconds
NEVER = Timing(debounce=FOR_EVER, poll_when_shipping=FOR_EVER, poll_when_reading=FOR_EVER)

Make = Callable[..., Pacing]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes what watches the directory; what has to be waited for never comes, if nothing else is said."""
    (tmp_path / "0.log").touch()
    changes, writes = Watcher(CHANGES), Watcher(WRITES)
    made = []
    for watcher in (changes, writes):
        watcher.add(str(tmp_path))

    def make(timing: Timing = NEVER) -> Pacing:
        made.append(Pacing(changes, writes, timing))
        return made[-1]

    yield make
    for pacing in made:
        pacing.close()
    for watcher in (changes, writes):
        watcher.close()


def asleep(
    pacing: Pacing, *, is_busy: bool = False, has_kept: bool = False, until: float = math.inf
) -> asyncio.Task[None]:
    until = min(until, time.monotonic() + FOR_EVER)
    return asyncio.create_task(pacing.sleep(until, is_busy=is_busy, has_kept=has_kept))


async def still_sleeps(task: asyncio.Task[None]) -> bool:
    """Even though the event loop has gone round often enough to see everything that happened."""
    for _ in range(20):
        await asyncio.sleep(0.001)
    return not task.done()


async def wakes(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(20):
        await task


def write(directory: Path) -> None:
    with (directory / "0.log").open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize("is_busy", [False, True])
async def test_a_new_file_is_checked_at_once(make: Make, tmp_path: Path, is_busy: bool) -> None:
    task = asleep(make(), is_busy=is_busy)
    assert await still_sleeps(task)
    (tmp_path / "1.log").touch()
    await wakes(task)


async def test_a_first_write_is_debounced(make: Make, tmp_path: Path) -> None:
    task = asleep(pacing := make())
    await asyncio.sleep(0)
    write(tmp_path)
    assert await still_sleeps(task)
    pacing.wake()  # what cannot wait ends that
    await wakes(task)


async def test_the_debounce_ends(make: Make, tmp_path: Path) -> None:
    task = asleep(make(Timing(debounce=0.01)))
    assert await still_sleeps(task)
    write(tmp_path)
    await wakes(task)


async def test_while_each_check_finds_something_no_write_wakes_it(make: Make, tmp_path: Path) -> None:
    task = asleep(pacing := make(), is_busy=True)
    await asyncio.sleep(0)
    write(tmp_path)
    assert await still_sleeps(task)
    pacing.wake()
    await wakes(task)


@pytest.mark.parametrize(
    ("timing", "has_kept"),
    [
        (Timing(poll_when_shipping=0.01, poll_when_reading=1000.0), True),
        (Timing(poll_when_reading=0.01, poll_when_shipping=1000.0), False),
    ],
)
async def test_the_next_check_comes_by_itself(make: Make, timing: Timing, has_kept: bool) -> None:
    await wakes(asleep(make(timing), is_busy=True, has_kept=has_kept))


async def test_where_no_write_may_wait_each_wakes_it_at_once(make: Make, tmp_path: Path) -> None:
    task = asleep(make(NEVER.checking_within(0.0)), is_busy=True)
    assert await still_sleeps(task)
    write(tmp_path)
    await wakes(task)


async def test_it_is_time(make: Make) -> None:
    for is_busy in (False, True):
        await wakes(asleep(make(), is_busy=is_busy, until=0.0))


async def test_what_cannot_wait_and_came_before_it_slept_is_not_forgotten(make: Make, tmp_path: Path) -> None:
    pacing = make()
    pacing.wake()
    await wakes(asleep(pacing))
    pacing.clear()
    task = asleep(pacing, is_busy=True)
    await asyncio.sleep(0)
    write(tmp_path)
    assert await still_sleeps(task)
    pacing.wake()
    await wakes(task)
