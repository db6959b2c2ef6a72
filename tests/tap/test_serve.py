"""`/tap`: events as they come; a slow reader loses some, with their number, and delays nobody."""

import asyncio
import random
from typing import Any

import aiohttp
from hypothesis import given
from hypothesis import strategies as st

from lab.lines import timed_out
from shipper.entries import Entries
from shipper.tap import serve
from shipper.tap.border import MOST_LISTENERS
from shipper.tap.events import ENTRY, LOST, Event, Reading, written
from tests.pages.made import Made, entries


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def events(response: aiohttp.ClientResponse, enough: Any) -> list[Event]:
    """The events until there are enough."""
    reading, found = Reading(), list[Event]()
    async with asyncio.timeout(10):
        async for data in response.content.iter_any():
            found += reading.feed(data)
            if enough(found):
                break
    return found


def total(found: list[Event]) -> int:
    """How many entries they tell of."""
    return sum(event.data if event.kind == LOST else 1 for event in found)


async def test_what_is_kept_comes_as_logcli_would_print_it() -> None:
    made = Made()
    async with made.client() as client, client.get("/tap") as response:
        assert response.content_type == "text/event-stream"
        made.put(timed_out(1), app='a"b', source_san="spiffe://\u00e9")
        (event,) = await events(response, len)
    assert event.kind == ENTRY
    assert event.data == {
        "labels": {"app": 'a"b', "source_san": "spiffe://\u00e9"},
        "line": timed_out(1).decode(),
        "timestamp": "2026-09-21T14:13:20.000000000Z",
    }


async def test_so_many_may_watch_and_a_place_is_free_when_one_leaves() -> None:
    made = Made()
    assert made.facts.tap
    async with made.client() as client:
        watching = [await client.get("/tap") for _ in range(MOST_LISTENERS)]
        async with client.get("/tap") as response:
            assert response.status == 503
            assert "try again later" in await response.text()
        watching[0].close()
        await until(lambda: not made.facts.tap.is_full)
        async with client.get("/tap") as response:
            assert response.status == 200
        for one in watching:
            one.close()


async def test_a_reader_that_takes_nothing_loses_entries_and_delays_nobody() -> None:
    made, lines = Made(), [random.randbytes(20 << 10).hex().encode() for _ in range(10)]
    block = entries(*lines, app="a")
    assert made.facts.tap
    async with made.client() as client, client.get("/tap") as response:
        for _ in range(60):  # 24 MB: more than the kernel's buffers and ours hold
            for _ in range(10):
                made.facts.tap.put(block)
            await asyncio.sleep(0)
        assert len(made.handed_on) == 600
        found = await events(response, lambda found: total(found) == 6000)
    assert sum(event.kind == ENTRY for event in found) < 3000
    assert total(found) == 6000


async def test_the_end_of_the_agent_is_told() -> None:
    made = Made()
    assert made.facts.tap
    async with made.client() as client, client.get("/tap") as response:
        made.facts.tap.close()
        assert (await response.content.read()).endswith(b"event: end\ndata: null\n\n")


async def test_head_has_no_end_and_is_refused() -> None:
    async with Made().client() as client, client.head("/tap") as response:
        assert response.status == 405


@given(st.lists(st.integers(1, 90), max_size=9))
def test_one_write_is_bounded_and_counts_the_rest(counts: list[int]) -> None:
    taken: list[Entries] = [entries(*[b"x"] * count) for count in counts]
    reading = Reading()
    found = [event for body in serve.events_of(taken, 3) for event in reading.feed(body)]
    assert total(found) == sum(counts) + 3
    assert sum(event.kind == ENTRY for event in found) == min(sum(counts), serve.MOST_ENTRIES)


def test_a_line_too_large_for_a_write_is_counted() -> None:
    (body,) = serve.events_of([entries(b"x" * (serve.MOST_BYTES + 1))], 0)
    assert body == written(Event(LOST, 1))


JSON = st.none() | st.integers(0, 9) | st.text("ab\n\r:\u2028\u00e9") | st.lists(st.text("a\n"), max_size=2)


@given(st.lists(st.builds(Event, st.sampled_from([ENTRY, LOST]), JSON), max_size=4), st.integers(1, 7))
def test_events_are_read_back_however_they_are_cut(wanted: list[Event], size: int) -> None:
    data, reading = b": alive\n\n" + b"".join(map(written, wanted)), Reading()
    found = [event for at in range(0, len(data), size) for event in reading.feed(data[at : at + size])]
    assert found == wanted
