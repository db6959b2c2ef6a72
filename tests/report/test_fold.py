"""Bounded counting: totals stay exact, and a row lacks no more than is said."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shipper.reading.lines import Readable
from shipper.report.fold import Fold, Kind, Sample
from shipper.report.parties import Names

SECOND = 10**9
SAMPLE = Sample(Readable(0, "json", {}), {})


def kind(client: str) -> Kind:
    return Kind("plaintext", "downstream", Names(other=("address", client)), Names("server"), "", "", "", "", "")


def folded(clients: list[str], most: int, most_distinct: int = 1000) -> Fold:
    fold = Fold(most, most_distinct)
    for at, client in enumerate(clients):
        fold.add(kind(client), at * SECOND, client, "pod", SAMPLE)
    return fold


@given(st.lists(st.integers(0, 20).map(str), max_size=200), st.integers(1, 8))
def test_what_is_given_up_is_bounded_and_told(clients: list[str], most: int) -> None:
    fold, truth = folded(clients, most), Counter(clients)
    assert len(fold.groups) <= 2 * most
    assert sum(total.count for total in fold.totals.values()) == len(clients)
    kept = sum(group.count for group in fold.groups.values())
    assert kept + fold.given_up_connections == len(clients)
    for client, count in truth.items():
        group = fold.groups.get(kind(client))
        assert 0 <= count - (group.count if group else 0) <= fold.missed_at_most


@given(st.lists(st.integers(0, 400 * 86400), min_size=1, max_size=50))
def test_no_time_is_lost_as_the_steps_grow(seconds: list[int]) -> None:
    fold = Fold()
    for at in seconds:
        fold.add(kind("a"), at * SECOND, "a", "pod", SAMPLE)
    [group] = fold.groups.values()
    assert group.timeline.counts.total() == len(seconds)
    assert (group.first, group.last) == (min(seconds) * SECOND, max(seconds) * SECOND)
    assert group.timeline.counts == Counter(at * SECOND // fold.ruler.step for at in seconds)
    assert (max(seconds) - min(seconds)) * SECOND // fold.ruler.step <= 160


def test_addresses_beyond_the_bound_are_told_as_more() -> None:
    fold = Fold(most_distinct=3)
    for address in "abcd":
        fold.add(kind("one"), None, address, "pod", SAMPLE)
    [group] = fold.groups.values()
    assert group.is_cut
    assert len(group.addresses) < 4
