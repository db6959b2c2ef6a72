import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
import pytest
import snappy

from lab.faults import (
    Fault,
    for_stream,
    hang,
    held,
    reset_after,
    reset_before,
    slow,
    stall,
    status,
    too_large_above,
)
from lab.limits import KIB, MIB, Limits
from lab.loki import LokiReceiver
from lab.query import query_range
from shipper import push_pb2
from shipper.times import SECOND

NOW = 1_800_000_000 * SECOND
HOUR = 3600 * SECOND
AB = '{a="b", service_name="unknown_service"}'

Line = tuple[int, bytes]


class PushLines(Protocol):
    async def __call__(
        self, *streams: tuple[str, list[Line]], metadata: dict[str, str] | None = None
    ) -> tuple[int, str]: ...


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def request(*streams: tuple[str, list[Line]], metadata: dict[str, str] | None = None) -> bytes:
    message = push_pb2.PushRequest()
    for labels, lines in streams:
        stream = message.streams.add(labels=labels)
        for nanos, line in lines:
            entry = stream.entries.add(line=line)
            entry.timestamp.seconds, entry.timestamp.nanos = divmod(nanos, SECOND)
            for name, value in (metadata or {}).items():
                entry.structured_metadata.add(name=name, value=value)
    body: bytes = snappy.compress(message.SerializeToString())
    return body


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def loki(clock: Clock) -> AsyncIterator[LokiReceiver]:
    async with LokiReceiver(clock=clock) as receiver:
        yield receiver


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def push(loki: LokiReceiver, session: aiohttp.ClientSession) -> PushLines:
    async def push(*streams: tuple[str, list[Line]], metadata: dict[str, str] | None = None) -> tuple[int, str]:
        return await send(session, loki, request(*streams, metadata=metadata))

    return push


async def send(session: aiohttp.ClientSession, loki: LokiReceiver, body: bytes, **headers: str) -> tuple[int, str]:
    headers = {"Content-Type": "application/x-protobuf"} | headers
    async with session.post(loki.url, data=body, headers=headers) as response:
        return response.status, await response.text()


async def test_keeps_what_was_pushed_with_its_copies(loki: LokiReceiver, push: PushLines) -> None:
    assert await push(('{b="x", a="y"}', [(NOW, b"1"), (NOW + 1, b"2")])) == (204, "")
    assert (await push(('{a="y",b="x"}', [(NOW, b"1")])))[0] == 204
    text = '{a="y", b="x", service_name="unknown_service"}'
    assert loki.streams == {text: {(NOW, b"1"): 2, (NOW + 1, b"2"): 1}}


async def test_service_name_comes_from_the_labels_unless_sent(loki: LokiReceiver, push: PushLines) -> None:
    await push(('{app="cart", job="mesh"}', [(NOW, b"1")]), ('{app="x", service_name="y"}', [(NOW, b"2")]))
    assert [entry.labels["service_name"] for entry in loki.stored()] == ["cart", "y"]


async def test_metadata_of_the_first_copy_stays(loki: LokiReceiver, push: PushLines) -> None:
    await push(('{a="b"}', [(NOW, b"1")]), metadata={"node": "n1"})
    await push(('{a="b"}', [(NOW, b"1")]), metadata={"node": "n2"})
    [entry] = loki.stored()
    assert (entry.metadata, entry.copies) == ((("node", "n1"),), 2)


# -- refusals of the whole request


@pytest.mark.parametrize(
    ("body", "headers", "text"),
    [
        (b"no snappy", {}, "snappy: corrupt input"),
        (b"", {}, "snappy: corrupt input"),
        (snappy.compress(b"\x0a\xff\x01"), {}, "proto: "),
        (snappy.compress(b"\x0a\x09\x12\x07\x12\x05\xff\xfe\xfd\xfc\xfb"), {}, "proto: "),
        (b"{}", {"Content-Type": "application/json"}, "JSON is not taken here"),
        (request(), {"Content-Type": "protobuf"}, "mime: no media type"),
        (request(), {"Content-Encoding": "zstd"}, 'Content-Encoding "zstd" not supported'),
    ],
)
async def test_what_can_not_be_decoded_is_refused_and_recorded(
    loki: LokiReceiver, session: aiohttp.ClientSession, body: bytes, headers: dict[str, str], text: str
) -> None:
    code, answer = await send(session, loki, body, **headers)
    assert code == 400
    assert answer.startswith(text)
    [recorded] = loki.pushes
    assert (recorded.status, recorded.body, recorded.streams) == (400, body, [])
    assert recorded.text == answer


@pytest.mark.parametrize("nanos", [-1, SECOND])
async def test_nanoseconds_beyond_a_second_are_no_time(
    loki: LokiReceiver, session: aiohttp.ClientSession, nanos: int
) -> None:
    message = push_pb2.PushRequest()
    message.streams.add(labels='{a="b"}').entries.add(line=b"x").timestamp.nanos = nanos
    code, answer = await send(session, loki, snappy.compress(message.SerializeToString()))
    assert (code, answer[:17]) == (400, "proto: timestamp:")


async def test_a_request_without_streams_is_422(push: PushLines) -> None:
    assert await push() == (422, "error at least one valid stream is required for ingestion\n")


async def test_a_stream_without_entries_is_no_error(loki: LokiReceiver, push: PushLines) -> None:
    assert (await push(('{a="b"}', [])))[0] == 204
    assert loki.streams == {}


async def test_broken_labels_refuse_the_good_stream_too(loki: LokiReceiver, push: PushLines) -> None:
    code, answer = await push(('{a="b"}', [(NOW, b"good")]), ("{a=b}", [(NOW, b"x")]))
    assert (code, answer[:23]) == (400, "couldn't parse labels: ")
    assert loki.streams == {}
    assert loki.refused == {"invalid_labels": 1}


# -- refusals of some entries: the rest is stored


@pytest.mark.parametrize(
    ("labels", "reason", "text"),
    [
        ({f"l{n}": "v" for n in range(16)}, "max_label_names_per_series", "has 16 label names; limit 15"),
        ({"n" * 1025: "v"}, "label_name_too_long", "has label name too long: 'nnn"),
        ({"a": "é" * 1024 + "v"}, "label_value_too_long", "has label value too long: 'éé"),
    ],
)
async def test_label_limits_refuse_their_stream_alone(
    loki: LokiReceiver, push: PushLines, labels: dict[str, str], reason: str, text: str
) -> None:
    inner = ", ".join(f'{name}="{value}"' for name, value in labels.items())
    code, answer = await push(("{" + inner + "}", [(NOW, b"x"), (NOW, b"y")]), ('{a="b"}', [(NOW, b"good")]))
    assert code == 400
    assert text in answer
    assert list(loki.streams) == [AB]
    assert loki.refused == {reason: 2}


async def test_fifteen_labels_and_long_values_are_taken(push: PushLines) -> None:
    inner = ", ".join(f'l{n}="{"v" * 2048}"' for n in range(15))
    assert (await push(("{" + inner + "}", [(NOW, b"x")])))[0] == 204


@pytest.mark.parametrize(
    ("entry", "reason", "text"),
    [
        (
            (NOW - 7 * 24 * HOUR - 1, b"old"),
            "greater_than_max_sample_age",
            f"entry for stream '{AB}' has timestamp too old: 2027-01-08T07:59:59Z, "
            "oldest acceptable timestamp is: 2027-01-08T08:00:00Z\n",
        ),
        (
            (NOW + 600 * SECOND + 1, b"new"),
            "too_far_in_future",
            f"entry for stream '{AB}' has timestamp too new: 2027-01-15T08:10:00Z\n",
        ),
        (
            (NOW, b"z" * (256 * KIB + 1)),
            "line_too_long",
            f"Max entry size '262144' bytes exceeded for stream '{AB}' "
            "while adding an entry with length '262145' bytes\n",
        ),
    ],
)
async def test_entry_limits_refuse_the_entry_alone(
    loki: LokiReceiver, push: PushLines, entry: Line, reason: str, text: str
) -> None:
    assert await push(('{a="b"}', [entry, (NOW, b"good")])) == (400, text)
    assert loki.streams == {AB: {(NOW, b"good"): 1}}
    assert loki.refused == {reason: 1}


async def test_at_the_limits_all_is_taken(loki: LokiReceiver, push: PushLines) -> None:
    edges = [(NOW - HOUR, b""), (NOW, b"z" * (256 * KIB)), (NOW + 600 * SECOND, b"y")]
    assert (await push(('{a="b"}', edges)))[0] == 204
    assert (await push(('{c="d"}', [(NOW - 7 * 24 * HOUR, b"old")])))[0] == 204
    assert len(loki.stored()) == 4


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"a": "x" * 64 * KIB}, "structured_metadata_too_large"),
        ({f"n{number}": "v" for number in range(129)}, "structured_metadata_too_many"),
    ],
)
async def test_metadata_limits(loki: LokiReceiver, push: PushLines, metadata: dict[str, str], reason: str) -> None:
    assert (await push(('{a="b"}', [(NOW, b"x")]), metadata=metadata))[0] == 400
    assert loki.refused == {reason: 1}


async def test_equal_errors_are_told_once_with_their_number(push: PushLines) -> None:
    code, answer = await push(('{a="b"}', [(0, b"1"), (0, b"2"), (SECOND, b"3")]))
    assert code == 400
    assert answer.startswith(f"2 errors like: entry for stream '{AB}' has timestamp too old")
    assert answer.count("; entry for stream") == 1


async def test_too_far_behind_the_newest_of_its_stream(loki: LokiReceiver, push: PushLines) -> None:
    code, answer = await push(('{a="b"}', [(NOW, b"new"), (NOW - HOUR - 1, b"late"), (NOW - HOUR, b"just")]))
    assert (code, answer) == (
        400,
        "entry with timestamp 2027-01-15 06:59:59.999999999 +0000 UTC ignored, reason: 'entry too far behind, "
        "entry timestamp is: 2027-01-15T06:59:59Z, oldest acceptable timestamp is: 2027-01-15T07:00:00Z',\n"
        f"user 'fake', total ignored: 1 out of 3 for stream: {AB}\n",
    )
    assert [entry.line for entry in loki.stored()] == [b"just", b"new"]


async def test_a_list_of_ignored_entries_ends_at_ten(push: PushLines) -> None:
    late = [(NOW - 2 * HOUR - n, b"late") for n in range(12)]
    _, answer = await push(('{a="b"}', [(NOW, b"new"), *late]))
    assert answer.count("ignored, reason:") == 10
    assert "total ignored: 12 out of 13" in answer


async def test_a_backlog_in_order_is_never_behind(loki: LokiReceiver, push: PushLines) -> None:
    assert (await push(('{a="b"}', [(NOW + n * HOUR, b"x") for n in range(-20, 1)])))[0] == 204


async def test_an_earlier_streams_refusal_is_hidden_by_the_last_one(loki: LokiReceiver, push: PushLines) -> None:
    await push(('{a="b"}', [(NOW, b"new")]))
    late = ('{a="b"}', [(NOW - 2 * HOUR, b"late")])
    assert (await push(late, ('{c="d"}', [(NOW, b"x")])))[0] == 204
    assert loki.refused == {"too_far_behind": 1}
    assert (await push(('{c="d"}', [(NOW, b"x")]), late))[0] == 400


async def test_an_ingester_error_hides_validation_errors(push: PushLines) -> None:
    lines = [(NOW, b"new"), (NOW - 2 * HOUR, b"late"), (0, b"old")]
    _, answer = await push(('{a="b"}', lines))
    assert "too old" not in answer
    assert "total ignored: 1 out of 2" in answer


# -- refusals for a while


async def test_stream_limit(clock: Clock, session: aiohttp.ClientSession) -> None:
    async with LokiReceiver(Limits(max_streams=1), clock) as loki:
        await send(session, loki, request(('{a="b"}', [(NOW, b"x")])))
        code, answer = await send(session, loki, request(('{a="c"}', [(NOW, b"x")])))
        assert code == 429
        assert answer.startswith('Maximum active stream limit exceeded when trying to create stream {a="c"')
        assert list(loki.streams) == [AB]


async def test_the_tenants_rate_comes_back_with_time(loki: LokiReceiver, clock: Clock, push: PushLines) -> None:
    lines = [(NOW + n, b"z" * 250 * KIB) for n in range(12)]
    assert (await push(('{a="b"}', lines)))[0] == 204
    assert (await push(('{a="c"}', lines)))[0] == 204
    code, answer = await push(('{a="d"}', lines))
    assert code == 429
    assert answer.startswith("Ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec)")
    assert "'12' lines totaling '3072000' bytes" in answer
    clock.now += SECOND
    assert (await push(('{a="d"}', lines)))[0] == 204


async def test_a_streams_own_rate(clock: Clock, session: aiohttp.ClientSession) -> None:
    async with LokiReceiver(Limits(stream_rate=MIB, stream_burst=MIB), clock) as loki:
        lines = [(NOW + n, b"z" * 200 * KIB) for n in range(4)]
        assert (await send(session, loki, request(('{a="b"}', lines))))[0] == 204
        more = [(NOW + n, b"y" * 200 * KIB) for n in range(4)]
        code, answer = await send(session, loki, request(('{a="b"}', more)))
        assert code == 429
        assert "Per stream rate limit exceeded (limit: 1MB/sec)" in answer
        assert "total ignored: 4 out of 4" in answer
        assert (await send(session, loki, request(('{a="c"}', more))))[0] == 204


async def test_a_message_of_more_than_4_mib_is_500(loki: LokiReceiver, push: PushLines) -> None:
    lines = [(NOW + n, b"z" * 250 * KIB) for n in range(17)]
    code, answer = await push(('{a="b"}', lines))
    assert code == 500
    assert "received message larger than max (" in answer
    assert loki.streams == {}


# -- faults


async def test_a_fault_holds_until_it_is_changed(loki: LokiReceiver, push: PushLines) -> None:
    loki.fault = status(503, "away", {"Retry-After": "3"})
    good = ('{a="b"}', [(NOW, b"x")])
    assert [await push(good), await push(good)] == [(503, "away"), (503, "away")]
    loki.fault = None
    assert (await push(good))[0] == 204


async def test_a_script_is_used_up_first(loki: LokiReceiver, push: PushLines) -> None:
    loki.fault = status(500)
    loki.script += [status(429), slow(0)]
    good = ('{a="b"}', [(NOW, b"x")])
    assert [(await push(good))[0] for _ in range(3)] == [429, 204, 500]


@pytest.mark.parametrize(("fault", "copies"), [(reset_before(), 0), (reset_after(), 1)])
async def test_a_reset_before_or_after_storing(loki: LokiReceiver, push: PushLines, fault: Fault, copies: int) -> None:
    loki.script.append(fault)
    with pytest.raises(aiohttp.ClientConnectionError):
        await push(('{a="b"}', [(NOW, b"x")]))
    assert len(loki.stored()) == copies


@pytest.mark.parametrize("fault", [hang(), stall()])
async def test_a_client_of_a_hanging_loki_is_freed_at_the_end(
    clock: Clock, session: aiohttp.ClientSession, fault: Fault
) -> None:
    async with LokiReceiver(clock=clock) as loki:
        loki.fault = fault
        waiting = asyncio.create_task(send(session, loki, request(('{a="b"}', [(NOW, b"x")]))))
        [arrived] = await loki.requests(1)
        assert arrived.status == 0
    with pytest.raises(aiohttp.ClientError):
        await waiting
    assert loki.streams == {}


async def test_a_held_push_is_stored_when_it_is_let_go(loki: LokiReceiver, push: PushLines) -> None:
    loki.fault = held(until := asyncio.Event())
    waiting = asyncio.create_task(push(('{a="b"}', [(NOW, b"x")])))
    await loki.requests(1)
    assert loki.stored() == []
    until.set()
    assert (await waiting)[0] == 204


async def test_faults_for_some_pushes(loki: LokiReceiver, push: PushLines) -> None:
    loki.fault = for_stream('app="bad"', status(429))
    assert (await push(('{app="bad"}', [(NOW, b"x")])))[0] == 429
    assert (await push(('{app="good"}', [(NOW, b"x")])))[0] == 204
    loki.fault = too_large_above(100)
    assert (await push(('{a="b"}', [(NOW, bytes(range(32, 127)) * 3)])))[0] == 413


async def test_refused_connections_and_the_same_port_again(loki: LokiReceiver, push: PushLines) -> None:
    url, good = loki.url, ('{a="b"}', [(NOW, b"x")])
    await push(good)
    await loki.refuse()
    with pytest.raises(aiohttp.ClientConnectionError):
        await push(good)
    await loki.listen()
    assert (await push(good))[0] == 204
    assert loki.url == url


# -- waiting and asking


async def test_waiting_for_entries_ends_when_they_come(loki: LokiReceiver, push: PushLines) -> None:
    waiting = asyncio.create_task(loki.entries(2))
    await push(('{a="b"}', [(NOW + 1, b"2")]))
    assert not waiting.done()
    await push(('{a="b"}', [(NOW, b"1")]))
    assert [entry.line for entry in await waiting] == [b"1", b"2"]


async def test_waiting_in_vain_says_what_is_there(loki: LokiReceiver, push: PushLines) -> None:
    await push(('{a="b"}', [(NOW, b"1")]))
    with pytest.raises(TimeoutError, match=r"no 2 entries in 0 s: 1 stored, answers \{204: 1\}"):
        await loki.entries(2, within=0)


async def test_a_query_finds_by_labels_and_time(loki: LokiReceiver, push: PushLines) -> None:
    await push(('{app="x", job="mesh"}', [(NOW, b"1"), (NOW + 2, b"3"), (NOW + 3, b"4")]))
    await push(('{app="y", job="mesh"}', [(NOW + 1, b"2")]), metadata={"node": "n1"})
    await push(('{job="other"}', [(NOW, b"5")]))
    found = await query_range(loki.base_url, '{job="mesh"}', NOW, NOW + 3)
    assert [(entry.labels["app"], entry.line) for entry in found] == [("x", "1"), ("y", "2"), ("x", "3")]
    assert [entry.labels.get("node") for entry in found] == [None, "n1", None]
    assert await query_range(loki.base_url, '{job="mesh", app=""}', NOW, NOW + 3) == found
    with pytest.raises(aiohttp.ClientResponseError):
        await query_range(loki.base_url, "{}", NOW, NOW + 3)


async def test_ready(loki: LokiReceiver, session: aiohttp.ClientSession) -> None:
    async with session.get(f"{loki.base_url}/ready") as response:
        assert (response.status, await response.text()) == (200, "ready\n")
