"""Batches keep every entry, its order, and Loki's limits."""

from hypothesis import given
from hypothesis import strategies as st

from shipper.entries import Entries
from shipper.model import Columns, Entry
from shipper.sink.batch import Batch
from shipper.sink.queue import AHEAD, HARD_LIMIT, LONGEST, OLDEST, WINDOW, Queue
from tests.tickets import columns_of, ticket

NOW = 1_760_000_000 * 10**9
LABELS = '{app="a"}'


def block(*entries: Entry) -> Entries:
    return Entries(LABELS, columns_of(entries), ticket())


def cut_all(queue: Queue, limit: int, newest: int | None = None) -> list[Batch]:
    """Cuts as the sender does: what is cut is stored before the next cut."""
    batches = []
    while queue:
        batches.append(queue.cut(limit, newest, NOW))
        times = [entry.nanos for entry in batches[-1].unpacked()]
        newest = max(times) if newest is None else max(newest, *times)
    return batches


TIMES = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-3 * WINDOW, 0),
    st.sampled_from([-OLDEST - 1, -OLDEST, AHEAD, AHEAD + 1, -WINDOW, -WINDOW - 1]),
).map(NOW.__add__)
ENTRY = st.builds(
    Entry,
    TIMES,
    st.one_of(st.integers(0, 50), st.sampled_from([LONGEST, LONGEST + 1])).map(bytes),
    st.sampled_from([(), (("name", "value"),)]),
)
BLOCKS = st.lists(st.lists(ENTRY, min_size=1, max_size=6), min_size=1, max_size=6)


@given(BLOCKS, st.sampled_from([1, 60, 200, 1 << 20]), st.none() | TIMES)
def test_every_entry_goes_once_in_order_with_its_ticket(
    blocks: list[list[Entry]], limit: int, newest: int | None
) -> None:
    queue = Queue(LABELS)
    put = [block(*entries) for entries in blocks]
    for entries in put:
        queue.put(entries, 0.0)
    batches = cut_all(queue, limit, newest)
    assert [entry for batch in batches for entry in batch.unpacked()] == [entry for some in blocks for entry in some]
    tickets = [part.ticket for batch in batches for part in batch.parts for _ in part.unpacked()]
    assert tickets == [entries.ticket for entries in put for _ in entries.unpacked()]
    assert queue.size == 0
    assert all(batch.parts and all(len(part) for part in batch.parts) for batch in batches)


@given(BLOCKS, st.sampled_from([1, 60, 200, 1 << 20]), st.none() | TIMES)
def test_batches_keep_the_limits_and_what_is_outside_goes_alone(
    blocks: list[list[Entry]], limit: int, newest: int | None
) -> None:
    queue = Queue(LABELS)
    for entries in blocks:
        queue.put(block(*entries), 0.0)
    for batch in cut_all(queue, limit, newest):
        times = [entry.nanos for entry in batch.unpacked()]
        assert batch.size == sum(entry.size for entry in batch.unpacked())
        if len(batch) > 1:
            assert batch.size <= limit
            assert max(times) - min(times) <= WINDOW
            assert all(len(entry.line) <= LONGEST for entry in batch.unpacked())
            assert min(times) >= NOW - OLDEST
            assert max(times) <= NOW + AHEAD
            assert newest is None or min(times) >= newest - WINDOW
        newest = max(times) if newest is None else max(newest, *times)


def test_a_batch_that_is_half_full_unpacks_no_entries_for_more() -> None:
    queue = Queue(LABELS)
    for number in range(10):
        queue.put(block(*(Entry(NOW + number, bytes(10)) for _ in range(10))), 0.0)
    assert [len(batch) for batch in cut_all(queue, 250)] == [20, 20, 20, 20, 20]
    queue.put(block(*(Entry(NOW + number, bytes(10)) for number in range(10))), 0.0)
    queue.put(block(*(Entry(NOW + number, bytes(100)) for number in range(10))), 0.0)
    assert [len(batch) for batch in cut_all(queue, 250)] == [11, 2, 2, 2, 2, 1]


def test_no_configuration_makes_a_request_loki_cannot_pass_on() -> None:
    queue = Queue(LABELS)
    queue.put(block(*(Entry(NOW, bytes(200_000)) for _ in range(40))), 0.0)
    assert all(batch.size <= HARD_LIMIT for batch in cut_all(queue, 1 << 30))


def test_what_came_first_says_how_long_a_batch_waited() -> None:
    queue = Queue(LABELS)
    queue.put(block(Entry(NOW, b"a"), Entry(NOW, b"b")), 5.0)
    queue.put(block(Entry(NOW, b"c")), 6.0)
    assert queue.cut(1, None, NOW).since == 5.0
    assert queue.since == 5.0
    assert queue.cut(1, None, NOW).since == 5.0
    assert queue.since == 6.0


class Counting(Entries):
    """Counts how often they were unpacked."""

    times = 0

    def unpacked(self) -> Columns:
        Counting.times += 1
        return super().unpacked()


def test_the_unpacked_copy_is_dropped_and_cutting_goes_on_where_it_was() -> None:
    queue = Queue(LABELS)
    entries = [Entry(NOW + number, bytes(100)) for number in range(10)]
    queue.put(Counting(LABELS, columns_of(entries), ticket()), 0.0)
    first, second = queue.cut(250, None, NOW), queue.cut(250, None, NOW)
    assert Counting.times == 1
    queue.pack()
    rest = cut_all(queue, 250)
    assert Counting.times == 2
    assert [entry for batch in (first, second, *rest) for entry in batch.unpacked()] == entries
