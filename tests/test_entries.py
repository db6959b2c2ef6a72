"""Entries that wait: packed, and behind each other in one request, they are what they were."""

import itertools
import random

import pytest
import snappy
from hypothesis import given
from hypothesis import strategies as st

from shipper.entries import COMPRESSED_FROM, Entries, push_body
from shipper.model import Entry
from shipper.push_pb2 import PushRequest
from tests.tickets import columns_of, ticket

LABELS = '{app="a"}'
TICKET = ticket()
NOW = 1_790_000_000_123_456_789

# small ones stay as they are, large ones are compressed; some bytes can be compressed and some not
LINES = st.one_of(
    st.binary(max_size=40),
    st.integers(0, 2 * COMPRESSED_FROM).map(lambda size: b"x" * size),
    st.integers(0, 2 * COMPRESSED_FROM).map(lambda size: random.Random(size).randbytes(size)),
)
METADATA = st.sampled_from([(), (("name", "value"),), (("a", ""), ("b", "\u00e9"))])
BLOCK = st.lists(st.builds(Entry, st.integers(0, 2 * NOW), LINES, METADATA), min_size=1, max_size=5)


def entries(block: list[Entry]) -> Entries:
    return Entries(LABELS, columns_of(block), TICKET)


@given(BLOCK)
def test_packed_they_are_what_they_were(block: list[Entry]) -> None:
    packed = entries(block)
    assert list(packed.unpacked()) == block
    assert len(packed) == len(block)
    assert packed.size == sum(entry.size for entry in block)
    assert (packed.oldest, packed.newest) == (min(block).nanos, max(block).nanos)
    assert packed.longest == max(len(entry.line) for entry in block)


@given(st.lists(BLOCK, min_size=1, max_size=5))
def test_behind_each_other_they_are_one_request(blocks: list[list[Entry]]) -> None:
    body = push_body(LABELS, [entries(block) for block in blocks])
    (stream,) = PushRequest.FromString(snappy.uncompress(body)).streams
    assert stream.labels == LABELS
    assert [
        (
            entry.timestamp.ToNanoseconds(),
            entry.line,
            tuple((pair.name, pair.value) for pair in entry.structured_metadata),
        )
        for entry in stream.entries
    ] == [entry for block in blocks for entry in block]


@given(BLOCK, st.data())
def test_parts_are_the_whole_and_hold_its_memory(block: list[Entry], data: st.DataObject) -> None:
    whole, kept = entries(block), columns_of(block)
    at = sorted(data.draw(st.lists(st.integers(0, len(block)), max_size=3, unique=True)))
    places = list(dict.fromkeys([0, *at, len(block)]))
    parts = [whole.part(kept, begin, end) for begin, end in itertools.pairwise(places)]
    assert [entry for part in parts for entry in part.unpacked()] == block
    assert sum(part.memory for part in parts) == whole.memory
    assert all((part.labels, part.ticket) == (LABELS, TICKET) for part in parts)


@pytest.mark.parametrize(("size", "most"), [(100, 3), (4000, 0.1)])
def test_what_waits_takes_little_more_than_its_text_and_much_less_where_it_can_be_compressed(
    size: int, most: float
) -> None:
    packed = entries([Entry(NOW + at, b"x" * size) for at in range(10)])
    assert packed.memory < most * packed.size
