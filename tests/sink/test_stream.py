"""Which batch of a stream is next."""

from itertools import repeat

from shipper.entries import Entries
from shipper.model import Kept
from shipper.sink.batch import Batch, Suspicion
from shipper.sink.stream import Stream
from tests.tickets import ticket

NOW = 10**18


def block(*lines: bytes) -> Entries:
    return Entries("{}", Kept([NOW] * len(lines), list(lines)), ticket())


def batch(*lines: bytes, since: float = 1.0) -> Batch:
    return Batch("{}", [block(*lines)], since, sum(map(len, lines)))


def following(stream: Stream, now: float = 0.0) -> bytes:
    return b"".join(entry.line for entry in stream.next(now, 1 << 20, None, NOW).unpacked())


def test_what_was_given_back_goes_before_what_waits() -> None:
    stream = Stream("{}")
    stream.queue.put(block(b"d"), 2.0)
    stream.give_back(batch(b"c"))
    stream.give_back(batch(b"a"), batch(b"b"))
    assert stream.since == 1.0
    assert [following(stream) for _ in range(4)] == [b"a", b"b", b"c", b"d"]
    assert not stream.pending


def test_what_is_queued_waits_until_it_is_ready_and_back_off_holds_all() -> None:
    stream = Stream("{}")
    stream.queue.put(block(b"a"), 2.0)
    stream.ready_at = 2.25
    assert stream.due == 2.25
    stream.back_off(3.0, repeat(0.5))
    assert stream.due == 3.5
    stream.back_off(3.5, repeat(9.0), at_least=4.0)
    assert stream.due == 7.5
    stream.went_well()
    assert stream.due == 2.25


def test_a_suspect_and_the_rest_take_turns() -> None:
    stream = Stream("{}")
    stream.suspect((batch(b"suspect"), Suspicion(repeat(1.0), due=5.0)))
    stream.queue.put(block(b"a"), 2.0)
    assert stream.due == 0.0
    assert following(stream, now=1.0) == b"a", "it is not due yet"
    assert stream.due == 5.0
    suspect = stream.next(5.0, 1, None, NOW)
    assert suspect.suspicion
    stream.suspect((suspect, suspect.suspicion))
    stream.queue.put(block(b"b"), 3.0)
    assert [following(stream, now=6.0), following(stream, now=6.0)] == [b"b", b"suspect"]


def test_of_several_suspects_the_one_due_first() -> None:
    stream = Stream("{}")
    for line, due in ((b"late", 3.0), (b"early", 1.0), (b"middle", 2.0)):
        stream.suspect((batch(line), Suspicion(repeat(1.0), due=due)))
    assert [following(stream, now=9.0) for _ in range(3)] == [b"early", b"middle", b"late"]
