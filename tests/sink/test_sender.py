"""What becomes of entries, whatever Loki answers."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from shipper.config import ClientConfig, Seconds
from shipper.entries import Entries, Ticket
from shipper.metrics import Metrics
from shipper.model import Entry, Kept
from shipper.sink.client import Client
from shipper.sink.quarantine import RefusedEntry
from shipper.sink.schedule import LINGER
from shipper.sink.sender import Sender
from tests.tickets import ticket

APP = '{app="checkout", job="j"}'
PAY = '{app="payment", job="j"}'
HOUR = 3600 * 10**9
DAY = 24 * HOUR


class Agent:
    """What stands around the sender: it puts entries, and keeps the books of what is settled."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.sender: Any = None
        self.client: Any = None
        self.put_total = 0
        self.lines: list[str] = []  # settled
        self.dropped = 0
        self.kept: list[tuple[str, str]] = []  # line, reason of what was refused for good
        self.saves = 0
        self._nanos = time.time_ns()

    def put(self, *lines: str, labels: str = APP, age: int = 0) -> None:
        """Entries of one block, a nanosecond apart, so many nanoseconds old."""
        first, self._nanos = self._nanos, self._nanos + len(lines)
        entries = [Entry(first + at - age, line.encode()) for at, line in enumerate(lines)]
        self.put_total += len(entries)
        self.sender.put(Entries(labels, Kept.of(entries), Ticket(self, None, 0)))

    def settled(self, part: Entries, dropped: int) -> None:
        self.lines += [entry.line.decode() for entry in part.unpacked()]
        self.dropped += dropped
        assert self.value("shipper_entries_sent_total") + self.all_dropped + self.pending == self.put_total

    def write(self, refused: Sequence[RefusedEntry]) -> None:
        self.kept += [(one.entry.line.decode(), one.reason) for one in refused]

    async def before_push(self, _parts: Any) -> None:
        self.saves += 1

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    @property
    def pending(self) -> float:
        return self.value("shipper_entries_pending")

    @property
    def all_dropped(self) -> float:
        return sum(
            sample.value
            for metric in self.metrics.entries_dropped.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        )


@pytest.fixture
def start(metrics: Metrics, settings: Callable[..., ClientConfig]) -> Any:
    """A running sender; at the end it is closed, and every entry was settled at most once."""

    @asynccontextmanager
    async def starting(*, hold_for: float = 180.0, linger: float = LINGER, **changes: Any) -> Any:
        config = settings(**changes)
        agent = Agent(metrics)
        async with Client(config, metrics) as client, asyncio.TaskGroup() as group:
            agent.client = client
            agent.sender = Sender(
                config,
                client.push,
                metrics,
                before_push=agent.before_push,
                quarantine=agent,
                hold_for=hold_for,
                linger=linger,
            )
            group.create_task(agent.sender.run())
            yield agent
            await agent.sender.close(0)
        assert len(agent.lines) == len(set(agent.lines))
        assert len(agent.lines) + agent.pending == agent.put_total

    return starting


def refusing(status: int, text: str, *poison: str, store: Any) -> Any:
    """Refuses a push that holds one of these lines, and stores others."""

    def reply(received: Any) -> web.StreamResponse:
        if set(poison) & set(received.lines):
            return web.Response(status=status, text=text)
        answer: web.StreamResponse = store(received)
        return answer

    return reply


# -- the way it goes when nothing is wrong


async def test_entries_arrive_in_order_and_are_settled(start: Any, loki: Any) -> None:
    async with start() as agent:
        agent.put("a", "b")
        agent.put("c")
        await agent.sender.drained()
    assert loki.stored == agent.lines == ["a", "b", "c"]
    assert agent.dropped == 0
    assert agent.saves == len(loki.received)
    assert agent.value("shipper_streams") == 0


async def test_one_stream_per_request(start: Any, loki: Any) -> None:
    async with start() as agent:
        agent.put("a")
        agent.put("b", labels=PAY)
        await agent.sender.drained()
    assert sorted((push.labels, push.lines) for push in loki.received) == [(APP, ["a"]), (PAY, ["b"])]


async def test_entries_wait_for_company(start: Any, loki: Any) -> None:
    async with start(batchwait=Seconds(0.02)) as agent:
        agent.put("a")
        await asyncio.sleep(0)
        agent.put("b")
        await agent.sender.drained()
    assert [push.lines for push in loki.received] == [["a", "b"]]


async def test_a_full_batch_waits_for_nothing(start: Any, loki: Any) -> None:
    async with start(linger=3600.0, batchwait=Seconds(3600), batchsize=1024) as agent:
        agent.put("a" * 600)
        await asyncio.sleep(0)
        agent.put("b" * 600)
        assert [push.lines for push in await loki.pushes(1)] == [["a" * 600]]
        await agent.sender.drained()


async def test_one_request_in_flight_per_stream_and_what_came_meanwhile_goes_in_one(start: Any, loki: Any) -> None:
    gate = asyncio.Event()
    loki.script.append(loki.after(gate))
    async with start() as agent:
        agent.put("a")
        await loki.pushes(1)
        agent.put("b")
        agent.put("c")
        gate.set()
        await agent.sender.drained()
    assert [push.lines for push in loki.received] == [["a"], ["b", "c"]]
    assert loki.most_under_way == 1


async def test_what_came_during_a_request_waits_for_no_company(start: Any, loki: Any) -> None:
    gate = asyncio.Event()
    loki.script.append(loki.after(gate))
    async with start(linger=0.01, batchwait=Seconds(3600)) as agent:
        agent.put("a")
        await loki.pushes(1)
        agent.put("b")
        gate.set()
        await agent.sender.drained()
    assert loki.stored == ["a", "b"]


async def test_several_streams_at_once_but_no_more_than_allowed(start: Any, loki: Any) -> None:
    gate = asyncio.Event()
    loki.reply = loki.after(gate)
    async with start(max_in_flight_requests=3) as agent:
        for number in range(7):
            agent.put(f"line {number}", labels=f'{{app="{number}"}}')
        assert [push.lines[0] for push in await loki.pushes(3)] == ["line 0", "line 1", "line 2"]
        gate.set()
        await agent.sender.drained()
    assert loki.most_under_way == 3
    assert sorted(loki.stored) == [f"line {number}" for number in range(7)]


async def test_large_entries_make_several_requests(start: Any, loki: Any) -> None:
    async with start(batchsize=3 << 20) as agent:
        agent.put(*(str(number) * 100_000 for number in range(60)))
        await agent.sender.drained()
    assert all(sum(map(len, push.lines)) <= 3 << 20 for push in loki.received)
    assert [line[0] for line in loki.stored] == [str(number)[0] for number in range(60)]


# -- the destination as a whole


@pytest.mark.parametrize("status", [260, 301, 401, 403, 404, 408, 429, 500, 502, 503])
async def test_while_it_takes_nothing_one_request_probes_with_the_same_bytes(
    start: Any, loki: Any, status: int
) -> None:
    loki.reply = loki.answer(status, "busy")
    async with start() as agent:
        agent.put("a")
        await loki.pushes(2)
        agent.put("b", labels=PAY)
        await loki.pushes(5)
        assert agent.sender.failing.startswith(f"http_{status}")
        assert agent.lines == []
        assert {push.labels for push in loki.received} == {APP}, "the oldest probes"
        assert len({push.body for push in loki.received}) == 1
        loki.reply = loki.store
        await agent.sender.drained()
        assert agent.sender.failing == ""
    assert loki.most_under_way == 1
    assert sorted(loki.stored) == ["a", "b"]
    assert agent.value("shipper_push_retries_total", cause=f"http_{status}") >= 4


async def test_a_connection_that_breaks_after_storing_is_repeated_byte_for_byte(start: Any, loki: Any) -> None:
    def broken(received: Any) -> web.StreamResponse:
        loki.store(received)
        raise ConnectionResetError

    loki.script += [broken, broken]
    async with start() as agent:
        agent.put("a", "b")
        await agent.sender.drained()
    assert len({push.body for push in loki.received}) == 1
    assert loki.stored == ["a", "b"] * 3
    assert agent.lines == ["a", "b"]


async def test_a_hanging_loki_gets_the_request_again(start: Any, loki: Any) -> None:
    loki.script.append(loki.after(loki.closing))
    async with start(timeout=Seconds(0.05)) as agent:
        agent.put("a")
        await agent.sender.drained()
    assert loki.stored == ["a"]
    assert agent.value("shipper_push_retries_total", cause="timeout") == 1


async def test_failing_is_said_once_and_so_is_recovery(start: Any, loki: Any, caplog: pytest.LogCaptureFixture) -> None:
    loki.script += [loki.answer(401, "no org id")] * 5
    with caplog.at_level(logging.INFO, "shipper"):
        async with start() as agent:
            agent.put("a")
            await agent.sender.drained()
    warning, info = caplog.records
    assert warning.levelno == logging.WARNING
    assert "http_401: the credentials are missing or wrong (no org id)" in warning.message
    assert info.levelno == logging.INFO
    assert "again" in info.message


async def test_a_request_above_the_tenants_burst_is_halved_in_order(start: Any, loki: Any) -> None:
    def limited(received: Any) -> web.StreamResponse:
        if sum(map(len, received.lines)) > 30_000:
            return web.Response(status=429, text="Ingestion rate limit exceeded for user fake (limit: 1 bytes/sec)")
        answer: web.StreamResponse = loki.store(received)
        return answer

    loki.reply = limited
    lines = [f"{number:03} {'x' * 996}" for number in range(100)]
    async with start() as agent:
        agent.put(*lines)
        await agent.sender.drained()
        sizes = [len(push.lines) for push in loki.received]
        assert sizes[:6] == [100, 100, 50, 50, 25, 25]
        agent.put(*(f"{number} {'y' * 996}" for number in range(100)))
        await agent.sender.drained()
    assert loki.stored[:100] == agent.lines[:100] == lines
    assert max(len(push.lines) for push in loki.received[len(sizes) :]) <= 25, "smaller ones stay in force"


# -- one stream


@pytest.mark.parametrize(
    "text",
    [
        "Maximum active stream limit exceeded when trying to create stream {app}, reduce the number of streams",
        "entry with timestamp 2026-01-01 00:00:00 +0000 UTC ignored, reason: 'Per stream rate limit exceeded "
        "(limit: 3MB/sec) while attempting to ingest for stream '{}' totaling 5B',\ntotal ignored: 1 out of 1",
    ],
)
async def test_a_limited_stream_waits_alone_and_takes_no_room(start: Any, loki: Any, text: str) -> None:
    loki.reply = refusing(429, text, "limited", store=loki.store)
    async with start(max_in_flight_requests=1) as agent:
        agent.put("limited")
        await loki.pushes(2)
        for number in range(5):
            agent.put(f"free {number}", labels=PAY)
            while len(agent.lines) <= number:
                await loki.pushes(len(loki.received) + 1)
        assert agent.sender.failing == ""
        assert "limited" not in agent.lines
        loki.reply = loki.store
        await agent.sender.drained()
    assert loki.stored == [*(f"free {number}" for number in range(5)), "limited"]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (413, "request body too large\n"),
        (500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)"),
    ],
)
async def test_too_large_is_halved_until_it_passes_and_stays_small(
    start: Any, loki: Any, status: int, text: str
) -> None:
    def picky(received: Any) -> web.StreamResponse:
        if len(received.lines) > 2:
            return web.Response(status=status, text=text)
        answer: web.StreamResponse = loki.store(received)
        return answer

    loki.reply = picky
    async with start() as agent:
        agent.put(*"abcdefgh")
        await agent.sender.drained()
        before = len(loki.received)
        agent.put(*"ijkl", labels=PAY)
        await agent.sender.drained()
    assert loki.stored == agent.lines == [*"abcdefghijkl"]
    assert [push.lines for push in loki.received[before:]] == [["i", "j"], ["k", "l"]]


async def test_a_single_entry_too_large_is_refused_for_good(start: Any, loki: Any) -> None:
    loki.reply = refusing(413, "request body too large", "huge", store=loki.store)
    async with start() as agent:
        agent.put("a", "huge", "b")
        await agent.sender.drained()
    assert loki.stored == ["a", "b"]
    assert agent.kept == [("huge", "request_too_large")]
    assert agent.value("shipper_entries_dropped_total", reason="request_too_large") == 1


# -- what a 400 means


async def test_refused_entries_cost_only_themselves(start: Any, loki: Any) -> None:
    def behind(received: Any) -> web.StreamResponse:
        nanos = received.times[1]
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(nanos // 10**9))
        text = (
            f"entry with timestamp {stamp}.{nanos % 10**9:09} +0000 UTC ignored, reason: 'entry too far behind, "
            "entry timestamp is: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: 2026-01-01T01:00:00Z',\n"
            f"user 'fake', total ignored: 1 out of {len(received.lines)} for stream: {APP}"
        )
        return web.Response(status=400, text=text)

    loki.script.append(behind)
    async with start() as agent:
        agent.put("a", "poison", "b")
        await agent.sender.drained()
    assert len(loki.received) == 1
    assert agent.kept == [("poison", "too_far_behind")]
    assert agent.lines == ["a", "poison", "b"]
    assert agent.dropped == 1


async def test_an_answer_that_does_not_tell_which_is_asked_again_in_halves(start: Any, loki: Any) -> None:
    text = "Max entry size '262144' bytes exceeded for stream '{}' while adding an entry with length '9' bytes"
    loki.reply = refusing(400, text, "poison", store=loki.store)
    async with start() as agent:
        agent.put(*"abc", "poison", *"def")
        await agent.sender.drained()
    assert agent.kept == [("poison", "line_too_long")]
    assert loki.stored == [*"abcdef"]
    assert agent.lines == [*"abc", "poison", *"def"]


async def test_entries_beyond_the_known_limits_go_alone(start: Any, loki: Any) -> None:
    async with start() as agent:
        agent.put("a", "b")
        await agent.sender.drained()
        agent.put("c")
        agent.put("behind", age=2 * HOUR)
        agent.put("d")
        agent.put("too old", age=8 * DAY)
        agent.put("too new", age=-HOUR)
        agent.put("x" * (257 << 10))
        await agent.sender.drained()
    assert [[line[:9] for line in push.lines] for push in loki.received] == [
        ["a", "b"],
        ["c"],
        ["behind"],
        ["d"],
        ["too old"],
        ["too new"],
        ["xxxxxxxxx"],
    ]


async def test_what_is_behind_the_newest_in_loki_goes_alone(start: Any, loki: Any) -> None:
    async with start() as agent:
        agent.put("newest")
        await agent.sender.drained()
        agent.put("b", "c", age=2 * HOUR)
        await agent.sender.drained()
    assert [push.lines for push in loki.received] == [["newest"], ["b"], ["c"]]


async def test_what_was_refused_is_not_the_newest_in_loki(start: Any, loki: Any) -> None:
    loki.script.append(loki.answer(400, "entry for stream '{}' has timestamp too new: 2099-01-01T00:00:00Z"))
    async with start() as agent:
        agent.put("ahead", age=-2 * HOUR)
        await agent.sender.drained()
        agent.put("a", "b")
        await agent.sender.drained()
    assert agent.kept == [("ahead", "too_far_in_future")]
    assert [push.lines for push in loki.received] == [["ahead"], ["a", "b"]]


async def test_a_400_nobody_knows_holds_the_stream_until_it_is_right_again(
    start: Any, loki: Any, caplog: pytest.LogCaptureFixture
) -> None:
    loki.reply = loki.answer(400, "Client sent an HTTP request to an HTTPS server.")
    async with start(hold_for=0.0) as agent:
        agent.put("a", "b")
        await loki.pushes(6)
        assert "HTTPS server" in agent.sender.failing
        loki.reply = loki.store
        await agent.sender.drained()
    assert agent.dropped == 0
    assert len({push.body for push in loki.received}) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_what_loki_alone_keeps_refusing_is_found_by_halving(start: Any, loki: Any) -> None:
    loki.reply = refusing(400, "no idea why", "poison", store=loki.store)
    async with start(hold_for=0.0) as agent:
        agent.put(*"abc", "poison", *"def")
        number = 0
        while "poison" not in agent.lines:
            agent.put(f"healthy {number}", labels=PAY)
            await loki.pushes(len(loki.received) + 1)
            number += 1
        await agent.sender.drained()
    assert agent.kept == [("poison", "refused")]
    assert set("abcdef") <= set(agent.lines)
    assert agent.value("shipper_entries_dropped_total", reason="refused") == 1


async def test_a_lone_stream_shows_with_its_own_entries_that_one_is_poison(start: Any, loki: Any) -> None:
    loki.reply = refusing(400, "no idea why", "poison", store=loki.store)
    async with start(hold_for=0.0) as agent:
        agent.put("poison")
        await loki.pushes(3)
        assert agent.lines == []
        agent.put("a")
        await agent.sender.drained()
    assert agent.kept == [("poison", "refused")]
    assert loki.stored == ["a"]


async def test_a_gateway_that_refuses_everything_is_probed_by_one_stream_at_a_time(start: Any, loki: Any) -> None:
    loki.reply = loki.answer(400, "multiple org IDs present")
    async with start(hold_for=0.0) as agent:
        for number in range(20):
            agent.put(str(number), labels=f'{{app="{number}"}}')
        await loki.pushes(40)
        loki.most_under_way = 0
        await loki.pushes(60)
        assert loki.most_under_way == 1
        assert agent.sender.failing == "http_400: multiple org IDs present"
        loki.reply = loki.store
        await agent.sender.drained()
    assert agent.dropped == 0


# -- stopping


async def test_close_gives_what_is_pending_its_time(start: Any, loki: Any) -> None:
    async with start(batchwait=Seconds(1)) as agent:
        agent.put("a")
        await agent.sender.close(60)
    assert loki.stored == agent.lines == ["a"]


async def test_close_does_not_wait_for_a_loki_that_fails(start: Any, loki: Any) -> None:
    loki.reply = loki.answer(503)
    async with start() as agent:
        agent.put("a")
        await loki.pushes(2)
        await agent.sender.close(3600)
    assert agent.lines == []


async def test_close_does_not_wait_for_a_request_that_hangs_longer_than_told(start: Any, loki: Any) -> None:
    loki.reply = loki.after(loki.closing)
    async with start() as agent:
        agent.put("a")
        await loki.pushes(1)
        await agent.sender.close(0.01)
    assert agent.lines == []
    assert agent.pending == 1


async def test_a_failure_within_surfaces(settings: Callable[..., ClientConfig], metrics: Metrics) -> None:
    async def broken(body: bytes) -> None:
        raise RuntimeError("a mistake of ours")

    sender = Sender(settings(), broken, metrics)
    sender.put(Entries(APP, Kept([time.time_ns()], [b"a"]), ticket()))
    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        await sender.run()
    await sender.close(3600)


async def test_stuck_for_counts_from_the_last_settlement(
    settings: Callable[..., ClientConfig], metrics: Metrics
) -> None:
    now = 100.0
    answered = asyncio.Event()

    async def push(body: bytes) -> None:
        await answered.wait()

    sender = Sender(settings(), push, metrics, clock=lambda: now, wall=lambda: 10**18)
    assert sender.stuck_for == 0
    sender.put(Entries(APP, Kept([10**18], [b"a"]), ticket()))
    now = 130.0
    assert sender.stuck_for == 30
    running = asyncio.create_task(sender.run())
    answered.set()
    await sender.drained()
    assert sender.stuck_for == 0
    await sender.close(0)
    await running


# -- everything at once


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_answered_each_entry_is_settled_once_and_truly(start: Any, loki: Any, seed: int) -> None:
    chance = random.Random(seed)
    poison = {f"{stream}/{number}" for stream in range(4) for number in chance.sample(range(60), 3)}
    too_old = "entry for stream '{}' has timestamp too old: 2020-01-01T00:00:00Z, oldest acceptable timestamp is: x"
    troubles = [
        loki.answer(500),
        loki.answer(500, "received message larger than max"),
        loki.answer(503, Retry_After="0"),
        loki.answer(429, "Ingestion rate limit exceeded for user fake"),
        loki.answer(429, "Per stream rate limit exceeded"),
        loki.answer(400, "a gateway's words"),
        loki.answer(400, f"{too_old}\nsomething else"),
    ]

    def reply(received: Any) -> web.StreamResponse:
        if len(received.lines) > 1 and chance.random() < 0.5:
            answer: web.StreamResponse = chance.choice(troubles)(received)
            return answer
        loki.stored += [line for line in received.lines if line not in poison]
        if poison & set(received.lines):
            return web.Response(status=400, text=too_old)
        return web.Response(status=204)

    loki.reply = reply
    async with start() as agent:
        for number in range(0, 60, 5):
            for stream in range(4):
                agent.put(*(f"{stream}/{at}" for at in range(number, number + 5)), labels=f'{{app="{stream}"}}')
            await asyncio.sleep(0)
        await agent.sender.drained()
    assert len(agent.lines) == 240
    assert {line for line, _ in agent.kept} == poison
    assert set(loki.stored) == set(agent.lines) - poison
