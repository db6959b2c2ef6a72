"""Waits between attempts."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from shipper.backoff import waits


@given(first=st.floats(0.001, 10), growth=st.floats(1, 1000), seed=st.randoms())
def test_waits_keep_between_floor_and_a_doubling_ceiling(first: float, growth: float, seed: object) -> None:
    ceiling = first
    for wait in islice(waits(first, first * growth), 30):
        assert first / 5 <= wait <= ceiling * 1.000001
        ceiling = min(first * growth, ceiling * 2)


def test_unlucky_chance_makes_no_busy_loop() -> None:
    assert list(islice(waits(0.5, 10, between=lambda low, _: low), 3)) == [0.1, 0.1, 0.1]


def test_the_longest_wait_is_the_limit() -> None:
    assert list(islice(waits(0.5, 10, between=lambda _, high: high), 7)) == [0.5, 1, 2, 4, 8, 10, 10]
