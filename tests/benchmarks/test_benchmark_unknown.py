import pytest

from benchmarks.unknown import Churn, shares
from shipper.who import Margins

SMALL = Churn(life=120_000, age=10_000, pods=20, addresses=30, lives=30)


def test_pods_that_live_long_are_nearly_always_named_and_each_answer_has_its_reason() -> None:
    found = shares(SMALL)
    assert found[""] > 0.9
    assert sum(found.values()) == pytest.approx(1)
    assert set(found) <= {"", "changed_hands", "ambiguous", "too_recent", "not_held"}


def test_the_shorter_pods_live_the_less_is_known() -> None:
    assert shares(Churn(life=10_000, age=10_000, pods=20, addresses=30, lives=100))[""] < shares(SMALL)[""]


def test_a_history_without_margins_is_found_out() -> None:
    with pytest.raises(ValueError, match="was named, and it was"):
        shares(Churn(life=3_000, age=10_000, pods=20, addresses=20, lives=400), margins=Margins(0, 0))
