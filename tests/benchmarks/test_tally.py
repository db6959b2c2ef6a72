from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tally import Tally, label_key

ENTRIES = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 9), st.binary(max_size=2)), max_size=8)
Entries = list[tuple[str, int, bytes]]


def tally(entries: Entries) -> Tally:
    made = Tally()
    for app, nanos, line in entries:
        made.add(label_key({"app": app, "job": "mesh"}), nanos, line)
    return made


@given(ENTRIES, ENTRIES)
def test_tallies_are_equal_when_the_same_entries_came_in_any_order(first: Entries, second: Entries) -> None:
    assert bool(list(tally(first).differences(tally(second)))) == (sorted(first) != sorted(second))


@given(ENTRIES)
def test_without_a_label_streams_become_one(entries: Entries) -> None:
    merged = tally(entries).without({"app"})
    assert merged.entries == len(entries)
    assert len(merged.streams) == bool(entries)


def test_a_missing_entry_a_repeated_one_and_a_changed_one_are_told() -> None:
    right = [("a", 1, b"x"), ("b", 2, b"y")]
    for wrong in (right[:1], [*right, right[0]], [right[0], ("b", 2, b"z")], [right[0], ("b", 3, b"y")]):
        assert len(list(tally(right).differences(tally(wrong)))) == 1
