"""Which entries break a rule of Loki's distributor, held against what an answer says of them.

A rule takes what was told, the entries, and those refused already; it adds the ones it finds and returns whether
the number agrees. Pure; knows no texts.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shipper.model import Entry, metadata_size
from shipper.times import SECOND, parse_go_time

Refusals = dict[int, str]
"""The refused entries of a request: place -> reason. All others are stored."""


class Told(NamedTuple):
    """A sentence, and of how many entries it was said."""

    match: re.Match[str]
    times: int


def _by_second(reason: str, found: Sequence[Told], entries: Sequence[Entry], refused: Refusals) -> bool:
    """Too old or too new: each is told with the second it stands in."""
    told: Counter[int] = Counter()
    for match, count in found:
        nanos = parse_go_time(match["time"])
        if nanos is None:
            return False
        told[nanos // SECOND] += count
    places = [place for place, entry in enumerate(entries) if place not in refused and entry.nanos // SECOND in told]
    if Counter(entries[place].nanos // SECOND for place in places) != told:
        return False
    refused |= dict.fromkeys(places, reason)
    return not _untold(reason, told, found, entries, refused)


def _untold(
    reason: str, told: Counter[int], found: Sequence[Told], entries: Sequence[Entry], refused: Refusals
) -> bool:
    """An entry that the rule refuses just as well, and that is not in the list: then the list is not whole."""
    rest = [entry.nanos // SECOND for place, entry in enumerate(entries) if place not in refused]
    if reason == "too_far_in_future":
        return any(second > min(told) for second in rest)
    oldest = parse_go_time(found[0].match["oldest"])
    return oldest is None or any(second < oldest // SECOND for second in rest)


def _by_limit(measure: Callable[[Entry], int]) -> Callable[..., bool]:
    """Told with the limit that was exceeded; without one, all that have any must be meant."""

    def rule(reason: str, found: Sequence[Told], entries: Sequence[Entry], refused: Refusals) -> bool:
        limit = int(found[0].match.groupdict().get("limit") or 0)
        places = [place for place, entry in enumerate(entries) if place not in refused and measure(entry) > limit]
        refused |= dict.fromkeys(places, reason)
        return len(places) == sum(told.times for told in found)

    return rule


# In the order in which Loki looks: an entry is told once, with the first rule it breaks.
LOKI_RULES: dict[str, Callable[..., bool]] = {
    "greater_than_max_sample_age": _by_second,
    "too_far_in_future": _by_second,
    "line_too_long": _by_limit(lambda entry: len(entry.line)),
    "structured_metadata_disallowed": _by_limit(lambda entry: len(entry.metadata)),
    "structured_metadata_too_large": _by_limit(lambda entry: metadata_size(entry.metadata)),
    "structured_metadata_too_many": _by_limit(lambda entry: len(entry.metadata)),
}
