"""Entries on their way through a sender, from `put` to their settlement."""

import asyncio
import random
import time
from collections.abc import Awaitable

import pytest
from aiohttp import web

from shipper.config import Seconds
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.model import Columns
from shipper.sink.sender import Sender
from tests.sink.harness import APP, PAY, Settings, Start
from tests.sink.loki import Loki, Received
from tests.tickets import ticket

# -- nothing is wrong


async def test_entries_arrive_in_order_and_are_settled(start: Start, loki: Loki) -> None:
    async with start() as harness:
        harness.put("a", "b")
        harness.put("c")
        await harness.sender.drained()
    assert loki.stored == harness.lines == ["a", "b", "c"]
    assert harness.dropped == 0
    assert harness.saves == len(loki.received)
    assert harness.value("shipper_streams") == 0


async def test_one_stream_per_request(start: Start, loki: Loki) -> None:
    async with start() as harness:
        harness.put("a")
        harness.put("b", labels=PAY)
        await harness.sender.drained()
    assert sorted((push.labels, push.lines) for push in loki.received) == [(APP, ["a"]), (PAY, ["b"])]


async def test_entries_that_come_together_go_together(start: Start, loki: Loki) -> None:
    async with start(batchwait=Seconds(0.02)) as harness:
        harness.put("a")
        await asyncio.sleep(0)
        harness.put("b")
        await harness.sender.drained()
    assert [push.lines for push in loki.received] == [["a", "b"]]


async def test_a_full_batch_waits_for_nothing(start: Start, loki: Loki) -> None:
    async with start(linger=3600.0, batchwait=Seconds(3600), batchsize=1024) as harness:
        harness.put("a" * 600)
        await asyncio.sleep(0)
        harness.put("b" * 600)
        assert [push.lines for push in await loki.pushes(1)] == [["a" * 600]]
        await harness.sender.drained()


async def test_one_request_in_flight_per_stream_and_what_came_meanwhile_goes_in_one(start: Start, loki: Loki) -> None:
    gate = asyncio.Event()
    loki.script.append(loki.after(gate))
    async with start() as harness:
        harness.put("a")
        await loki.pushes(1)
        harness.put("b")
        harness.put("c")
        gate.set()
        await harness.sender.drained()
    assert [push.lines for push in loki.received] == [["a"], ["b", "c"]]
    assert loki.most_under_way == 1


async def test_several_streams_at_once_but_no_more_than_allowed(start: Start, loki: Loki) -> None:
    gate = asyncio.Event()
    loki.reply = loki.after(gate)
    async with start(max_in_flight_requests=3) as harness:
        for number in range(7):
            harness.put(f"line {number}", labels=f'{{app="{number}"}}')
        assert [push.lines[0] for push in await loki.pushes(3)] == ["line 0", "line 1", "line 2"]
        gate.set()
        await harness.sender.drained()
    assert loki.most_under_way == 3
    assert sorted(loki.stored) == [f"line {number}" for number in range(7)]


async def test_large_entries_make_several_requests(start: Start, loki: Loki) -> None:
    async with start(batchsize=3 << 20) as harness:
        harness.put(*(str(number) * 100_000 for number in range(60)))
        await harness.sender.drained()
    assert all(sum(map(len, push.lines)) <= 3 << 20 for push in loki.received)
    assert [line[0] for line in loki.stored] == [str(number)[0] for number in range(60)]


# -- stopping


async def test_close_gives_what_is_pending_its_time(start: Start, loki: Loki) -> None:
    async with start(batchwait=Seconds(1)) as harness:
        harness.put("a")
        await harness.sender.close(60)
    assert loki.stored == harness.lines == ["a"]


async def test_close_does_not_wait_for_a_loki_that_fails(start: Start, loki: Loki) -> None:
    loki.reply = loki.answer(503)
    async with start() as harness:
        harness.put("a")
        await loki.pushes(2)
        await harness.sender.close(3600)
    assert harness.lines == []


async def test_close_does_not_wait_for_a_request_that_hangs_longer_than_told(start: Start, loki: Loki) -> None:
    loki.reply = loki.after(loki.closing)
    async with start() as harness:
        harness.put("a")
        await loki.pushes(1)
        await harness.sender.close(0.01)
    assert harness.lines == []
    assert harness.pending == 1


async def test_a_failure_within_surfaces(settings: Settings, metrics: Metrics) -> None:
    async def broken(body: bytes, patience: float) -> None:
        raise RuntimeError("a mistake of ours")

    sender = Sender(settings(), broken, metrics)
    sender.put(Entries(APP, Columns([time.time_ns()], [b"a"]), ticket()))
    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await sender.run()
    await sender.close(3600)


# -- answers that come late


async def test_an_answer_that_comes_late_tells_how_long_to_wait(start: Start, loki: Loki) -> None:
    gates = [asyncio.Event() for _ in range(3)]
    loki.script += [loki.after(gate) for gate in gates]
    async with start(timeout=Seconds(0.1)) as harness:
        harness.put("a")
        await loki.pushes(2)
        assert harness.lines == []
        gates[0].set()
        await asyncio.sleep(0.15)  # longer than the timeout
        gates[1].set()
        await harness.sender.drained()
        harness.put("b")
        await loki.pushes(3)
        await asyncio.sleep(0.15)
        gates[2].set()
        await harness.sender.drained()
    assert [push.lines for push in loki.received] == [["a"], ["a"], ["b"]]
    assert harness.value("shipper_push_retries_total", cause="timeout") == 1


async def test_overdue_pushes_take_no_workers_place_and_not_too_many_stay_open(start: Start, loki: Loki) -> None:
    loki.reply = loki.after(loki.closing)
    async with start(timeout=Seconds(0.01), max_in_flight_requests=2) as harness:
        harness.put("a")
        harness.put("b", labels=PAY)
        await loki.pushes(12)
        assert loki.under_way <= 5
        loki.reply = loki.store
        await harness.sender.drained()
    assert sorted(harness.lines) == ["a", "b"]


# -- everything at once


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_answered_each_entry_is_settled_once_and_truly(start: Start, loki: Loki, seed: int) -> None:
    chance = random.Random(seed)
    poison = {f"{stream}/{number}" for stream in range(4) for number in chance.sample(range(60), 3)}
    too_old = "entry for stream '{}' has timestamp too old: 2020-01-01T00:00:00Z, oldest acceptable timestamp is: x"
    errors = [
        loki.answer(500),
        loki.answer(500, "received message larger than max"),
        loki.answer(503, Retry_After="0"),
        loki.answer(429, "Ingestion rate limit exceeded for user fake"),
        loki.answer(429, "Per stream rate limit exceeded"),
        loki.answer(400, "a gateway's words"),
        loki.answer(400, f"{too_old}\nsomething else"),
    ]

    def reply(received: Received) -> web.StreamResponse | Awaitable[web.StreamResponse]:
        if len(received.lines) > 1 and chance.random() < 0.5:
            return chance.choice(errors)(received)
        loki.stored += [line for line in received.lines if line not in poison]
        if poison & set(received.lines):
            return web.Response(status=400, text=too_old)
        return web.Response(status=204)

    loki.reply = reply
    async with start() as harness:
        for number in range(0, 60, 5):
            for stream in range(4):
                harness.put(*(f"{stream}/{at}" for at in range(number, number + 5)), labels=f'{{app="{stream}"}}')
            await asyncio.sleep(0)
        await harness.sender.drained()
    assert len(harness.lines) == 240
    assert {line for line, _ in harness.quarantined} == poison
    assert set(loki.stored) == set(harness.lines) - poison
