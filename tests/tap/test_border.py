"""What is remembered and what waits is bounded; the sink behind gets everything."""

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from shipper.entries import Entries
from shipper.tap.border import MOST_LISTENERS, MOST_RECENT, RECENT_MEMORY, WAITING_MEMORY, Tap
from tests.pages.made import entries


def tap(to: list[Entries]) -> Tap:
    return Tap(to.append, lambda: None, lambda more: None)


@given(st.lists(st.integers(1, 200), max_size=30))
def test_the_last_are_remembered_and_all_are_handed_on(counts: list[int]) -> None:
    handed_on: list[Entries] = []
    taps = tap(handed_on)
    put = [entries(*[b"x"] * count) for count in counts]
    for one in put:
        taps.put(one)
    assert handed_on == put
    recent = taps.recent()
    assert recent == put[len(put) - len(recent) :]
    assert sum(map(len, recent)) >= min(MOST_RECENT, sum(counts))
    assert sum(map(len, recent[1:])) < MOST_RECENT


def test_large_lines_take_bounded_memory() -> None:
    taps = tap([])
    large = [entries(random.randbytes(100 << 10)) for _ in range(15)]
    for one in large:
        taps.put(one)
    assert large[-len(taps.recent()) :] == taps.recent()
    assert 5 < len(taps.recent()) < 11
    taps.put(entries(random.randbytes(2 * RECENT_MEMORY)))
    assert large[-1] in taps.recent()


async def test_who_takes_nothing_loses_the_newer_and_is_told_how_many() -> None:
    taps, part = tap([]), entries(*[random.randbytes(50 << 10)] * 2)
    with taps.listening() as listener:
        for _ in range(100):
            taps.put(part)
        taken, lost = listener.take()
    assert sum(map(len, taken)) + lost == 200
    assert len(taken) == WAITING_MEMORY // part.memory
    assert not taps.is_full
    assert listener.take() == ([], 0)


async def test_a_listener_wakes_when_something_comes_and_when_nothing_more_will() -> None:
    taps = tap([])
    with taps.listening() as listener:
        waiting = asyncio.create_task(listener.arrived())
        await asyncio.sleep(0)
        assert not waiting.done()
        taps.put(entries(b"x"))
        await waiting
        listener.take()
        taps.close()
        await listener.arrived()
        listener.take()
        await listener.arrived()  # for good
        assert listener.is_closed


def test_so_many_may_listen() -> None:
    taps = tap([])
    contexts = [taps.listening() for _ in range(MOST_LISTENERS)]
    for context in contexts:
        context.__enter__()
    assert taps.is_full
    contexts[0].__exit__(None, None, None)
    assert not taps.is_full
