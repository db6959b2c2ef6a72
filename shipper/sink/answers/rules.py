"""Which entries break a rule of Loki's distributor, compared with what an answer says of them.

A rule takes the answer's sentences, the entries, and those refused already; it adds the entries it finds, and returns
whether their number agrees with the answer. Pure; knows no texts.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from shipper.model import Entry, metadata_size
from shipper.times import SECOND, parse_go_time

Refusals = dict[int, str]
"""The refused entries of a request: place -> reason. All others are stored."""


class Sentence(NamedTuple):
    """A sentence of an answer, and how many entries it is about."""

    match: re.Match[str]
    times: int


def _by_second(reason: str, found: Sequence[Sentence], entries: Sequence[Entry], refused: Refusals) -> bool:
    """Too old or too new: a sentence names the second of each such entry."""
    seconds: Counter[int] = Counter()
    for match, count in found:
        nanos = parse_go_time(match["time"])
        if nanos is None:
            return False
        seconds[nanos // SECOND] += count
    places = [place for place, entry in enumerate(entries) if place not in refused and entry.nanos // SECOND in seconds]
    if Counter(entries[place].nanos // SECOND for place in places) != seconds:
        return False
    refused |= dict.fromkeys(places, reason)
    return not _is_incomplete(reason, seconds, found, entries, refused)


def _is_incomplete(
    reason: str, seconds: Counter[int], found: Sequence[Sentence], entries: Sequence[Entry], refused: Refusals
) -> bool:
    """Whether the rule would refuse another entry too, which no sentence is about."""
    rest = [entry.nanos // SECOND for place, entry in enumerate(entries) if place not in refused]
    if reason == "too_far_in_future":
        return any(second > min(seconds) for second in rest)
    oldest = parse_go_time(found[0].match["oldest"])
    return oldest is None or any(second < oldest // SECOND for second in rest)


def _by_limit(measure: Callable[[Entry], int]) -> Callable[..., bool]:
    """A sentence names the limit that was exceeded; if it names none, every entry above 0 must be refused."""

    def rule(reason: str, found: Sequence[Sentence], entries: Sequence[Entry], refused: Refusals) -> bool:
        limit = int(found[0].match.groupdict().get("limit") or 0)
        places = [place for place, entry in enumerate(entries) if place not in refused and measure(entry) > limit]
        refused |= dict.fromkeys(places, reason)
        return len(places) == sum(sentence.times for sentence in found)

    return rule


# In the order in which Loki checks: it reports an entry once, with the first rule it breaks.
LOKI_RULES: dict[str, Callable[..., bool]] = {
    "greater_than_max_sample_age": _by_second,
    "too_far_in_future": _by_second,
    "line_too_long": _by_limit(lambda entry: len(entry.line)),
    "structured_metadata_disallowed": _by_limit(lambda entry: len(entry.metadata)),
    "structured_metadata_too_large": _by_limit(lambda entry: metadata_size(entry.metadata)),
    "structured_metadata_too_many": _by_limit(lambda entry: len(entry.metadata)),
}
