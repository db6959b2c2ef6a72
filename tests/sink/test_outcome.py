"""What becomes of entries, whatever Loki answers."""

import asyncio
import logging
import time

import pytest
from aiohttp import web

from shipper.config import Seconds
from tests.sink.harness import APP, PAY, Start
from tests.sink.loki import Loki, Received, refusing

HOUR = 3600 * 10**9
DAY = 24 * HOUR

# -- the destination as a whole


@pytest.mark.parametrize("status", [260, 301, 401, 403, 404, 408, 429, 500, 502, 503])
async def test_while_it_takes_nothing_one_request_probes_with_the_same_bytes(
    start: Start, loki: Loki, status: int
) -> None:
    loki.reply = loki.answer(status, "busy")
    async with start() as harness:
        harness.put("a")
        await loki.pushes(2)
        harness.put("b", labels=PAY)
        await loki.pushes(5)
        assert harness.sender.failing.startswith(f"http_{status}")
        assert harness.lines == []
        assert [push.labels for push in loki.received[2:5]].count(PAY) in (1, 2), "the streams take turns"
        assert len({push.body for push in loki.received}) == 2
        loki.reply = loki.store
        await harness.sender.drained()
        assert harness.sender.failing == ""
    assert loki.most_under_way == 1
    assert sorted(loki.stored) == ["a", "b"]
    assert harness.value("shipper_push_retries_total", cause=f"http_{status}") >= 4


async def test_a_connection_that_breaks_after_storing_is_repeated_byte_for_byte(start: Start, loki: Loki) -> None:
    def broken(received: Received) -> web.StreamResponse:
        loki.store(received)
        raise ConnectionResetError

    loki.script += [broken, broken]
    async with start() as harness:
        harness.put("a", "b")
        await harness.sender.drained()
    assert len({push.body for push in loki.received}) == 1
    assert loki.stored == ["a", "b"] * 3
    assert harness.lines == ["a", "b"]


async def test_a_hanging_loki_gets_the_request_again(start: Start, loki: Loki) -> None:
    loki.script.append(loki.after(loki.closing))
    async with start(timeout=Seconds(0.05)) as harness:
        harness.put("a")
        await harness.sender.drained()
    assert loki.stored == ["a"]
    assert harness.value("shipper_push_retries_total", cause="timeout") == 1


async def test_a_failure_is_logged_once_and_so_is_its_end(
    start: Start, loki: Loki, caplog: pytest.LogCaptureFixture
) -> None:
    loki.script += [loki.answer(401, "no org id")] * 5
    with caplog.at_level(logging.INFO, "shipper"):
        async with start() as harness:
            harness.put("a")
            await harness.sender.drained()
    warning, info = caplog.records
    assert warning.levelno == logging.WARNING
    assert "http_401: Loki needs a tenant: set tenant_id (no org id)" in warning.message
    assert info.levelno == logging.INFO
    assert "again" in info.message


@pytest.mark.parametrize("status", [200, 201, 202, 206, 302])
async def test_what_is_not_lokis_answer_settles_nothing_and_is_said(
    start: Start, loki: Loki, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    pending: list[float] = []

    def page(_: Received) -> web.StreamResponse:
        pending.append(harness.pending)
        return web.Response(status=status, text="<html><title>Sign in</title></html>")

    loki.script += [page] * 3
    async with start() as harness:
        harness.put("a", "b", "c")
        await harness.sender.drained()
    assert pending == [3, 3, 3]
    assert (harness.lines, loki.stored) == (["a", "b", "c"], ["a", "b", "c"])
    assert harness.value("shipper_push_retries_total", cause=f"http_{status}") == 3
    assert f"http_{status}: " in caplog.text
    assert "Sign in" in caplog.text


@pytest.mark.parametrize("retry_after", ["31536000", "-5", "later", "Fri, 31 Dec 2100 00:00:00 GMT"])
async def test_a_retry_after_of_no_sense_leaves_our_own_back_off(start: Start, loki: Loki, retry_after: str) -> None:
    loki.script += [loki.answer(503, "", Retry_After=retry_after)] * 3
    async with start() as harness, asyncio.timeout(5):
        harness.put("a")
        await harness.sender.drained()
    assert loki.stored == ["a"]


async def test_a_request_above_the_tenants_burst_is_halved_in_order(start: Start, loki: Loki) -> None:
    def limited(received: Received) -> web.StreamResponse:
        if sum(map(len, received.lines)) > 30_000:
            return web.Response(status=429, text="Ingestion rate limit exceeded for user fake (limit: 1 bytes/sec)")
        return loki.store(received)

    loki.reply = limited
    lines = [f"{number:03} {'x' * 996}" for number in range(100)]
    async with start() as harness:
        harness.put(*lines)
        await harness.sender.drained()
        sizes = [len(push.lines) for push in loki.received]
        assert sizes[:6] == [100, 100, 50, 50, 25, 25]
        harness.put(*(f"{number} {'y' * 996}" for number in range(100)))
        await harness.sender.drained()
    assert loki.stored[:100] == harness.lines[:100] == lines
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
async def test_a_limited_stream_waits_alone_and_takes_no_room(start: Start, loki: Loki, text: str) -> None:
    loki.reply = refusing(loki, 429, text, "limited")
    async with start(max_in_flight_requests=1) as harness:
        harness.put("limited")
        await loki.pushes(2)
        for number in range(5):
            harness.put(f"free {number}", labels=PAY)
            while len(harness.lines) <= number:
                await loki.pushes(len(loki.received) + 1)
        assert harness.sender.failing == ""
        assert "limited" not in harness.lines
        loki.reply = loki.store
        await harness.sender.drained()
    assert loki.stored == [*(f"free {number}" for number in range(5)), "limited"]


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (413, "request body too large\n"),
        (500, "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)"),
    ],
)
async def test_too_large_is_halved_until_it_passes_and_stays_small(
    start: Start, loki: Loki, status: int, text: str
) -> None:
    def picky(received: Received) -> web.StreamResponse:
        if len(received.lines) > 2:
            return web.Response(status=status, text=text)
        return loki.store(received)

    loki.reply = picky
    async with start() as harness:
        harness.put(*"abcdefgh")
        await harness.sender.drained()
        before = len(loki.received)
        harness.put(*"ijkl", labels=PAY)
        await harness.sender.drained()
    assert loki.stored == harness.lines == [*"abcdefghijkl"]
    assert [push.lines for push in loki.received[before:]] == [["i", "j"], ["k", "l"]]


async def test_a_single_entry_too_large_is_refused_for_good(start: Start, loki: Loki) -> None:
    loki.reply = refusing(loki, 413, "request body too large", "huge")
    async with start() as harness:
        harness.put("a", "huge", "b")
        await harness.sender.drained()
    assert loki.stored == ["a", "b"]
    assert harness.quarantined == [("huge", "request_too_large")]
    assert harness.value("shipper_entries_dropped_total", reason="request_too_large") == 1


async def test_a_request_that_is_cut_off_repeatedly_is_halved_until_it_passes_and_stays_small(
    start: Start, loki: Loki
) -> None:
    def gateway(received: Received) -> web.StreamResponse:
        if len(received.lines) > 25:
            raise ConnectionResetError
        return loki.store(received)

    loki.reply = gateway
    lines = [f"{number:03} {'x' * 996}" for number in range(100)]
    async with start() as harness:
        harness.put(*lines)
        await harness.sender.drained()
        before = len(loki.received)
        harness.put(*(f"{number} {'y' * 996}" for number in range(100)))
        await harness.sender.drained()
    assert [len(push.lines) for push in loki.received[:5]] == [100, 100, 50, 25, 25]
    assert loki.stored[:100] == harness.lines[:100] == lines
    assert max(len(push.lines) for push in loki.received[before:]) <= 25


async def test_a_tenants_rate_that_is_named_is_kept_to(start: Start, loki: Loki) -> None:
    loki.script.append(loki.answer(429, "Ingestion rate limit exceeded for user fake (limit: 40000 bytes/sec) while"))
    lines = [f"{number:03} {'x' * 996}" for number in range(60)]
    async with start() as harness:
        harness.put(*lines)
        begun = time.monotonic()
        await harness.sender.drained()
    assert harness.lines == lines
    assert [len(push.lines) for push in loki.received] == [60, 30, 30]
    assert time.monotonic() - begun > 1.5


async def test_a_streams_rate_that_is_named_holds_up_no_other(start: Start, loki: Loki) -> None:
    text = "ignored, reason: 'Per stream rate limit exceeded (limit: 10KB/sec) while attempting"
    loki.script.append(loki.answer(429, text))
    async with start() as harness:
        harness.put(*(f"{number:02} {'x' * 997}" for number in range(30)))
        await loki.pushes(1)
        for number in range(20):
            harness.put(f"other {number}", labels=PAY)
        while len(harness.lines) < 20:
            await loki.pushes(len(loki.received) + 1)
        assert [push.labels for push in loki.received].count(APP) <= 2
        loki.reply = loki.store
        await harness.sender.drained()
    assert max(len(push.lines) for push in loki.received[1:] if push.labels == APP) <= 9


# -- what a 400 means


async def test_refused_entries_cost_only_themselves(start: Start, loki: Loki) -> None:
    def behind(received: Received) -> web.StreamResponse:
        nanos = received.times[1]
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(nanos // 10**9))
        text = (
            f"entry with timestamp {stamp}.{nanos % 10**9:09} +0000 UTC ignored, reason: 'entry too far behind, "
            "entry timestamp is: 2026-01-01T00:00:00Z, oldest acceptable timestamp is: 2026-01-01T01:00:00Z',\n"
            f"user 'fake', total ignored: 1 out of {len(received.lines)} for stream: {APP}"
        )
        return web.Response(status=400, text=text)

    loki.script.append(behind)
    async with start() as harness:
        harness.put("a", "poison", "b")
        await harness.sender.drained()
    assert len(loki.received) == 1
    assert harness.quarantined == [("poison", "too_far_behind")]
    assert harness.lines == ["a", "poison", "b"]
    assert harness.dropped == 1


async def test_an_answer_that_does_not_tell_which_is_asked_again_in_halves(start: Start, loki: Loki) -> None:
    text = "Max entry size '262144' bytes exceeded for stream '{}' while adding an entry with length '9' bytes"
    loki.reply = refusing(loki, 400, text, "poison")
    async with start() as harness:
        harness.put(*"abc", "poison", *"def")
        await harness.sender.drained()
    assert harness.quarantined == [("poison", "line_too_long")]
    assert loki.stored == [*"abcdef"]
    assert harness.lines == [*"abc", "poison", *"def"]


async def test_entries_beyond_the_known_limits_go_alone(start: Start, loki: Loki) -> None:
    async with start() as harness:
        harness.put("a", "b")
        await harness.sender.drained()
        harness.put("c")
        harness.put("behind", age=2 * HOUR)
        harness.put("d")
        harness.put("too old", age=8 * DAY)
        harness.put("too new", age=-HOUR)
        harness.put("x" * (257 << 10))
        await harness.sender.drained()
    assert [[line[:9] for line in push.lines] for push in loki.received] == [
        ["a", "b"],
        ["c"],
        ["behind"],
        ["d"],
        ["too old"],
        ["too new"],
        ["xxxxxxxxx"],
    ]


async def test_what_is_behind_the_newest_in_loki_goes_alone(start: Start, loki: Loki) -> None:
    async with start() as harness:
        harness.put("newest")
        await harness.sender.drained()
        harness.put("b", "c", age=2 * HOUR)
        await harness.sender.drained()
    assert [push.lines for push in loki.received] == [["newest"], ["b"], ["c"]]


async def test_what_was_refused_is_not_the_newest_in_loki(start: Start, loki: Loki) -> None:
    loki.script.append(loki.answer(400, "entry for stream '{}' has timestamp too new: 2099-01-01T00:00:00Z"))
    async with start() as harness:
        harness.put("ahead", age=-2 * HOUR)
        await harness.sender.drained()
        harness.put("a", "b")
        await harness.sender.drained()
    assert harness.quarantined == [("ahead", "too_far_in_future")]
    assert [push.lines for push in loki.received] == [["ahead"], ["a", "b"]]


async def test_an_unknown_400_holds_the_batch_until_it_is_stored(
    start: Start, loki: Loki, caplog: pytest.LogCaptureFixture
) -> None:
    loki.reply = loki.answer(400, "Client sent an HTTP request to an HTTPS server.")
    async with start(hold_for=0.0) as harness:
        harness.put("a", "b")
        await loki.pushes(6)
        assert "HTTPS server" in harness.sender.failing
        loki.reply = loki.store
        await harness.sender.drained()
    assert harness.dropped == 0
    assert len({push.body for push in loki.received}) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_what_loki_alone_keeps_refusing_is_found_by_halving(start: Start, loki: Loki) -> None:
    loki.reply = refusing(loki, 400, "no idea why", "poison")
    async with start(hold_for=0.0) as harness:
        harness.put(*"abc", "poison", *"def")
        number = 0
        while "poison" not in harness.lines:
            harness.put(f"healthy {number}", labels=PAY)
            await loki.pushes(len(loki.received) + 1)
            number += 1
        await harness.sender.drained()
    assert harness.quarantined == [("poison", "refused")]
    assert set("abcdef") <= set(harness.lines)
    assert harness.value("shipper_entries_dropped_total", reason="refused") == 1


async def test_a_lone_stream_shows_with_its_own_entries_that_one_is_poison(start: Start, loki: Loki) -> None:
    loki.reply = refusing(loki, 400, "no idea why", "poison")
    async with start(hold_for=0.0) as harness:
        harness.put("poison")
        await loki.pushes(3)
        assert harness.lines == []
        harness.put("a")
        await harness.sender.drained()
    assert harness.quarantined == [("poison", "refused")]
    assert loki.stored == ["a"]


async def test_a_gateway_that_refuses_everything_is_probed_by_one_stream_at_a_time(start: Start, loki: Loki) -> None:
    loki.reply = loki.answer(400, "multiple org IDs present")
    async with start(hold_for=0.0) as harness:
        for number in range(20):
            harness.put(str(number), labels=f'{{app="{number}"}}')
        await loki.pushes(40)
        loki.most_under_way = 0
        await loki.pushes(60)
        assert loki.most_under_way == 1
        assert harness.sender.failing == "http_400: multiple org IDs present"
        loki.reply = loki.store
        await harness.sender.drained()
    assert harness.dropped == 0


# -- what is refused only for what the agent added


async def test_entries_go_without_metadata_that_is_refused_and_others_are_not_sent_again(
    start: Start, loki: Loki
) -> None:
    limit = "stream '{}' has too many structured metadata labels: '3', limit: '2'."
    loki.script.append(loki.answer(400, limit))
    metadata = (("a", "1"), ("b", "2"), ("c", "3"))
    async with start() as harness:
        harness.put_with(("first", ()), ("many", metadata), ("last", metadata[:1]))
        await harness.sender.drained()
    assert [push.lines for push in loki.received] == [["first", "many", "last"], ["many"]]
    assert harness.dropped == 0
    assert harness.quarantined == []
    assert sorted(harness.lines) == ["first", "last", "many"]
    assert harness.value("shipper_entries_reduced_total", reason="structured_metadata_too_many") == 1


async def test_poison_beside_metadata_that_is_refused_costs_only_itself(start: Start, loki: Loki) -> None:
    text = (
        "Max entry size '3' bytes exceeded for stream '{}' while adding an entry with length '4' bytes; "
        "stream '{}' has structured metadata too large: '4' bytes, limit: '2' bytes."
    )
    loki.script.append(loki.answer(400, text))
    async with start() as harness:
        harness.put_with(("long", ()), ("a", (("ab", "cd"),)), ("b", ()))
        await harness.sender.drained()
    assert harness.quarantined == [("long", "line_too_long")]
    assert sorted(harness.lines) == ["a", "b", "long"]
    assert loki.received[-1].lines == ["a"]


async def test_a_stream_whose_labels_are_refused_goes_with_fewer(start: Start, loki: Loki) -> None:
    def picky(received: Received) -> web.StreamResponse:
        if "source_san" in received.labels:
            return web.Response(status=400, text=f"entry for stream '{received.labels}' has 3 label names; limit 2")
        return loki.store(received)

    loki.reply = picky
    labels = '{app="a", job="j", source_san="spiffe://cluster.local/ns/shop"}'
    async with start() as harness:
        for line in "abc":
            harness.put(line, labels=labels)
            await harness.sender.drained()
    assert [push.labels for push in loki.received] == [labels, *(['{app="a", job="j"}'] * 3)]
    assert harness.dropped == 0
    assert harness.value("shipper_entries_reduced_total", reason="max_label_names_per_series") == 3


async def test_what_is_refused_with_its_last_label_is_refused_for_good(start: Start, loki: Loki) -> None:
    loki.reply = loki.answer(400, "stream '{}' has label value too long: 'x'")
    async with start() as harness:
        harness.put("a", labels='{app="a", job="j"}')
        await harness.sender.drained()
    assert harness.quarantined == [("a", "label_value_too_long")]
