"""Answers are found for their spans alone, and their number has a bound."""

from hypothesis import given
from hypothesis import strategies as st

from shipper.peers.known import Known
from shipper.pipeline.workloads import Answer

NAMES = st.sampled_from(["legacy", "stranger", "batch"])
TIMES = st.integers(0, 30)


def answer(name: str, start: int, end: int) -> Answer:
    return Answer({"peer_pod": name}, start, end)


@given(st.lists(st.tuples(st.sampled_from("ab"), NAMES, TIMES, st.integers(1, 10)), max_size=30), st.integers(1, 8))
def test_the_last_answer_about_a_time_is_found_as_long_as_it_is_remembered(
    added: list[tuple[str, str, int, int]], most: int
) -> None:
    known = Known(most, 4)
    for address, name, start, length in added:
        known.add(address, answer(name, start, start + length))
        assert known.find(address, start) == answer(name, start, start + length)
        assert 1 <= len(known) <= most
    for address in "ab":
        for at in range(45):
            said = [answer(name, start, start + length) for one, name, start, length in added
                    if one == address and start <= at < start + length]  # fmt: skip
            assert known.find(address, at) in [None, *said[-1:]]


def test_nothing_is_forgotten_below_the_bound() -> None:
    known = Known(100, 10)
    for address in range(10):
        for at in range(10):
            known.add(str(address), answer("legacy", 2 * at, 2 * at + 1))
    assert len(known) == 100
    assert all(known.find(str(address), 2 * at) for address in range(10) for at in range(10))
    known.add("0", answer("legacy", 50, 51))
    assert known.find("0", 0) is None  # the oldest of this address
    known.add("new", answer("legacy", 0, 1))
    assert known.find("0", 2) is None  # the oldest of all


def test_a_wider_answer_takes_the_place_of_those_within_it() -> None:
    known = Known(100, 10)
    for end in range(1, 50):
        known.add("a", answer("legacy", 0, end))
    assert len(known) == 1
    assert known.find("a", 48) == answer("legacy", 0, 49)


def test_the_same_fields_are_kept_once() -> None:
    known = Known(100, 10)
    known.add("a", answer("legacy", 0, 10))
    known.add("a", answer("legacy", 5, 20))
    first, second = known.find("a", 0), known.find("a", 19)
    assert first
    assert second
    assert first.fields is second.fields
