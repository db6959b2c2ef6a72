from hypothesis import given
from hypothesis import strategies as st

from shipper.source.budget import SMALLEST_READ, Budget

MIB = 1 << 20


def test_alone_a_target_gets_an_eighth() -> None:
    budget, held = Budget(16 * MIB), 0
    while (room := budget.room(held)) >= SMALLEST_READ:
        held += min(room, 1000)
        budget.pending = held
    assert abs(held - 2 * MIB) <= SMALLEST_READ


def test_a_target_that_holds_nothing_gets_a_turn_as_long_as_anything_is_free() -> None:
    budget = Budget(16 * MIB)
    budget.pending = 16 * MIB - 1
    assert budget.room(0) == SMALLEST_READ
    assert budget.room(1) < SMALLEST_READ
    budget.pending = 16 * MIB
    assert budget.room(0) < SMALLEST_READ
    assert budget.is_used_up


@given(st.lists(st.integers(0, 30), max_size=300))
def test_however_many_read_all_stay_within_the_limit(turns: list[int]) -> None:
    budget = Budget(4 * MIB)
    held = dict.fromkeys(range(31), 0)
    for target in turns:
        if (room := budget.room(held[target])) >= SMALLEST_READ:
            held[target] += room
            budget.pending += room
    assert budget.pending <= 4 * MIB + SMALLEST_READ
