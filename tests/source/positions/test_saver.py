import asyncio
import time
from types import SimpleNamespace

import pytest

from shipper.entries import Ticket
from shipper.source.positions import saver as saver_module
from shipper.source.positions.saver import AFTER_ACK, AFTER_READING, Saver


class Disk:
    """Stands for the positions: counts saves, each of which ends when the test says so."""

    def __init__(self):
        self.begun, self.ended = 0, 0
        self.works = True
        self.gate = asyncio.Event()
        self.gate.set()
        self.saved = asyncio.Event()

    async def save(self, targets):
        self.begun += 1
        await self.gate.wait()
        self.ended += 1
        self.saved.set()
        return self.works


class State:
    label_generation = 0

    def encoded(self):
        return {}


def needing(state):
    """What is pushed, and was read in this state."""
    return [SimpleNamespace(ticket=Ticket(None, None, 0, label_generation=state))]


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def saver(disk):
    return Saver(disk, State())


@pytest.fixture
async def running(saver):
    task = asyncio.create_task(saver.run())
    await asyncio.sleep(0)
    yield saver
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def clock(monkeypatch):
    """Time stands still; what is due is what was asked for."""
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)


def test_an_ack_is_saved_within_half_a_second(saver, clock):
    assert AFTER_ACK <= 0.5
    saver.moved(acked=True)
    assert saver._due == 100.0 + AFTER_ACK


def test_an_ack_hurries_what_reading_left_for_later(saver, clock):
    saver.moved(acked=False)
    assert saver._due == 100.0 + AFTER_READING
    saver.moved(acked=True)
    assert saver._due == 100.0 + AFTER_ACK
    saver.moved(acked=False)
    assert saver._due == 100.0 + AFTER_ACK


async def test_acks_are_saved_together(running, disk, monkeypatch):
    monkeypatch.setattr(saver_module, "AFTER_ACK", 0.01)
    for _ in range(100):
        running.moved(acked=True)
    async with asyncio.timeout(20):
        await disk.saved.wait()
    assert disk.begun == 1


async def test_an_ack_while_reading_is_waited_for_is_saved_soon(running, disk, monkeypatch):
    running.moved(acked=False)
    await asyncio.sleep(0)  # it waits for ten seconds by now
    monkeypatch.setattr(saver_module, "AFTER_ACK", 0.01)
    running.moved(acked=True)
    async with asyncio.timeout(20):
        await disk.saved.wait()


async def test_an_ack_while_it_is_being_saved_is_saved_again(running, disk, monkeypatch):
    monkeypatch.setattr(saver_module, "AFTER_ACK", 0.0)
    disk.gate.clear()
    running.moved(acked=True)
    while not disk.begun:
        await asyncio.sleep(0)
    running.moved(acked=True)
    disk.gate.set()
    async with asyncio.timeout(20):
        while disk.ended < 2:
            await asyncio.sleep(0)


async def test_what_could_not_be_saved_is_saved_later(saver, disk, clock):
    disk.works = False
    await saver.save()
    assert saver._due == 100.0 + AFTER_READING


async def test_nothing_is_pushed_before_what_its_labels_depend_on_is_saved(disk):
    state = State()
    saver = Saver(disk, state)
    state.label_generation += 1
    disk.gate.clear()
    pushes = [asyncio.create_task(saver.before_push(needing(1))) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not any(push.done() for push in pushes)
    disk.gate.set()
    await asyncio.gather(*pushes)
    assert (disk.begun, disk.ended) == (1, 1)


async def test_a_change_while_it_is_being_saved_is_saved_before_its_push(disk):
    state = State()
    saver = Saver(disk, state)
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


async def test_what_was_read_before_a_save_needs_no_other(disk):
    state = State()
    saver = Saver(disk, state)
    state.label_generation = 3
    await saver.before_push(needing(1))
    state.label_generation = 4  # another log was found meanwhile
    await saver.before_push(needing(2) + needing(3))
    assert disk.begun == 1
    await saver.before_push(needing(3) + needing(4))
    assert disk.begun == 2


async def test_a_save_that_is_under_way_serves_a_push_that_waits(disk, running, monkeypatch):
    monkeypatch.setattr(saver_module, "AFTER_ACK", 0.0)
    disk.gate.clear()
    running._snapshot.label_generation = 1
    running.moved(acked=True)
    while not disk.begun:
        await asyncio.sleep(0)
    push = asyncio.create_task(running.before_push(needing(1)))
    await asyncio.sleep(0)
    disk.gate.set()
    await push
    assert disk.begun == 1


async def test_a_push_under_known_labels_waits_for_nothing(saver, disk):
    await saver.before_push(needing(0))
    assert disk.begun == 0


async def test_a_full_disk_stops_no_push(disk):
    state = State()
    saver = Saver(disk, state)
    state.label_generation, disk.works = 1, False
    await saver.before_push(needing(1))
    assert disk.ended == 1
