"""Entries of one request, divided and shared out."""

from hypothesis import given
from hypothesis import strategies as st

from shipper.entries import Entries, Ticket
from shipper.model import Entry
from shipper.sink.batch import Batch
from tests.tickets import columns_of, ticket

SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) > 1)


def batch_of(sizes: list[int]) -> Batch:
    number = iter(range(sum(sizes)))
    parts = [
        Entries("{}", columns_of(Entry(next(number), b"x" * at) for at in range(size)), ticket()) for size in sizes
    ]
    return Batch("{}", parts, 1.0, sum(part.size for part in parts))


def tickets(*batches: Batch) -> list[Ticket]:
    return [part.ticket for batch in batches for part in batch.parts for _ in part.unpacked()]


@given(SIZES)
def test_halves_hold_the_same_in_order(sizes: list[int]) -> None:
    batch = batch_of(sizes)
    first, second = batch.halves()
    assert [*first.unpacked(), *second.unpacked()] == list(batch.unpacked())
    assert tickets(first, second) == tickets(batch)
    assert 0 <= len(second) - len(first) <= 1
    assert first.size + second.size == batch.size
    assert first.since == second.since == 1.0


@given(SIZES, st.data())
def test_each_part_is_told_how_many_of_its_entries_were_refused(sizes: list[int], data: st.DataObject) -> None:
    batch = batch_of(sizes)
    refused = data.draw(st.sets(st.integers(0, len(batch) - 1)))
    told = list(batch.shares(dict.fromkeys(refused, "why")))
    assert [part for part, _ in told] == batch.parts
    places = iter(range(len(batch)))
    assert [dropped for _, dropped in told] == [
        sum(next(places) in refused for _ in part.unpacked()) for part in batch.parts
    ]


def test_a_repetition_is_the_same_bytes() -> None:
    batch = batch_of([3])
    assert batch.encoded() is batch.encoded()


def test_size_counts_metadata() -> None:
    assert columns_of([Entry(1, b"12345", (("ab", "cd"),)), Entry(1, b"6")]).size == 10


@given(SIZES, st.integers(1, 30))
def test_pieces_hold_the_same_in_order_and_are_small(sizes: list[int], most: int) -> None:
    batch = batch_of(sizes)
    pieces = batch.pieces(most)
    assert [entry for piece in pieces for entry in piece.unpacked()] == list(batch.unpacked())
    assert all(piece.size <= most or len(piece) == 1 for piece in pieces)


@given(SIZES, st.data())
def test_a_split_parts_some_places_from_the_others(sizes: list[int], data: st.DataObject) -> None:
    batch = batch_of(sizes)
    entries = list(batch.unpacked())
    places = data.draw(st.sets(st.integers(0, len(batch) - 1)))
    elsewhere, chosen = batch.split(places)
    assert list(chosen.unpacked()) == [entries[place] for place in sorted(places)]
    assert list(elsewhere.unpacked()) == [entry for place, entry in enumerate(entries) if place not in places]
    assert sum(part.memory for half in (elsewhere, chosen) for part in half.parts) == sum(
        part.memory for part in batch.parts
    )
