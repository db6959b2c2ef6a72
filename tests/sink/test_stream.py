"""Which batch of a stream is next."""

from itertools import repeat
from math import inf

from shipper.entries import Entries
from shipper.model import Columns
from shipper.sink.batch import Batch, Held
from shipper.sink.stream import Stream
from tests.tickets import ticket

NOW = 10**18


def block(*lines: bytes) -> Entries:
    return Entries("{}", Columns([NOW] * len(lines), list(lines)), ticket())


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
    assert not stream.has_entries


def test_a_held_batch_and_the_rest_alternate() -> None:
    stream = Stream("{}")
    stream.hold((batch(b"held"), Held(repeat(1.0), until=5.0)))
    stream.queue.put(block(b"a"), 2.0)
    assert stream.held_until == 5.0
    assert following(stream, now=1.0) == b"a", "the other may not be tried yet"
    held = stream.next(5.0, 1, None, NOW)
    assert held.held
    stream.hold((held, held.held))
    stream.queue.put(block(b"b"), 3.0)
    assert [following(stream, now=6.0), following(stream, now=6.0)] == [b"b", b"held"]


def test_of_several_held_batches_the_one_that_may_be_tried_first() -> None:
    stream = Stream("{}")
    for line, until in ((b"late", 3.0), (b"early", 1.0), (b"middle", 2.0)):
        stream.hold((batch(line), Held(repeat(1.0), until=until)))
    assert [following(stream, now=9.0) for _ in range(3)] == [b"early", b"middle", b"late"]


def test_nothing_held_is_held_for_ever() -> None:
    assert Stream("{}").held_until == inf
