import asyncio
import math
import time

import pytest

from shipper.source import pacing as pacing_module
from shipper.source.discovery.inotify import CHANGES, WRITES, Watcher
from shipper.source.pacing import Pacing

FOR_EVER = 1e6  # seconds


@pytest.fixture
def forever(monkeypatch):
    """What has to be waited for never comes."""
    monkeypatch.setattr(pacing_module, "GATHER", FOR_EVER)
    monkeypatch.setattr(pacing_module, "PACE", FOR_EVER)
    monkeypatch.setattr(pacing_module, "LEISURE", FOR_EVER)


@pytest.fixture
async def make(tmp_path):
    (tmp_path / "0.log").touch()
    watchers = Watcher(CHANGES), Watcher(WRITES)
    made = []
    for watcher in watchers:
        watcher.add(tmp_path)

    def make():
        made.append(Pacing(*watchers))
        return made[-1]

    yield make
    for pacing in made:
        pacing.close()
    for watcher in watchers:
        watcher.close()


def asleep(pacing, *, is_busy=False, has_kept=False, until=math.inf):
    until = min(until, time.monotonic() + FOR_EVER)
    return asyncio.create_task(pacing.sleep(until, is_busy=is_busy, has_kept=has_kept))


async def still_sleeps(task):
    """Even though the event loop has gone round often enough to see everything that happened."""
    for _ in range(20):
        await asyncio.sleep(0.001)
    return not task.done()


async def wakes(task):
    async with asyncio.timeout(20):
        await task


def write(directory):
    with (directory / "0.log").open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize("is_busy", [False, True])
async def test_what_comes_is_looked_at_at_once(make, tmp_path, forever, is_busy):
    task = asleep(make(), is_busy=is_busy)
    assert await still_sleeps(task)
    (tmp_path / "1.log").touch()
    await wakes(task)


async def test_a_write_waits_for_company(make, tmp_path, forever):
    task = asleep(pacing := make())
    await asyncio.sleep(0)
    write(tmp_path)
    assert await still_sleeps(task)
    pacing.rouse()  # what cannot wait ends that
    await wakes(task)


async def test_the_wait_for_company_ends(make, tmp_path, monkeypatch):
    monkeypatch.setattr(pacing_module, "GATHER", 0.01)
    task = asleep(make())
    assert await still_sleeps(task)
    write(tmp_path)
    await wakes(task)


async def test_while_each_look_finds_something_no_write_wakes_anyone(make, tmp_path, forever):
    task = asleep(pacing := make(), is_busy=True)
    await asyncio.sleep(0)
    write(tmp_path)
    assert await still_sleeps(task)
    pacing.rouse()
    await wakes(task)


@pytest.mark.parametrize(("pace", "other", "has_kept"), [("PACE", "LEISURE", True), ("LEISURE", "PACE", False)])
async def test_the_next_look_comes_by_itself(make, monkeypatch, pace, other, has_kept):
    monkeypatch.setattr(pacing_module, pace, 0.01)
    monkeypatch.setattr(pacing_module, other, 1000.0)
    await wakes(asleep(make(), is_busy=True, has_kept=has_kept))


async def test_where_no_write_may_wait_each_wakes_at_once(make, tmp_path, forever):
    pacing = make()
    pacing.wait_at_most(0.0)
    task = asleep(pacing, is_busy=True)
    assert await still_sleeps(task)
    write(tmp_path)
    await wakes(task)


async def test_it_is_time(make, forever):
    for is_busy in (False, True):
        await wakes(asleep(make(), is_busy=is_busy, until=0.0))


async def test_what_cannot_wait_and_came_before_it_slept_is_not_forgotten(make, tmp_path, forever):
    pacing = make()
    pacing.rouse()
    await wakes(asleep(pacing))
    pacing.clear()
    task = asleep(pacing, is_busy=True)
    await asyncio.sleep(0)
    write(tmp_path)
    assert await still_sleeps(task)
    pacing.rouse()
    await wakes(task)
