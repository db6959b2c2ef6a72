"""Which entries break a rule of Loki's distributor, held against what an answer says of them.

A rule takes what was told, the entries, and those refused already; it adds the ones it finds and returns whether
the number agrees. Pure; knows no texts.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from shipper.model import Entry

SECOND = 1_000_000_000

Refused = dict[int, str]
"""The refused entries of a request: place -> reason. All others are stored."""

_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))? ?(Z|[+-]\d\d:?\d\d)")


class Told(NamedTuple):
    """A sentence, and of how many entries it was said."""

    match: re.Match[str]
    times: int


def _by_second(reason: str, found: Sequence[Told], entries: Sequence[Entry], refused: Refused) -> bool:
    """Too old or too new: each is told with the second it stands in."""
    told: Counter[int] = Counter()
    for match, count in found:
        nanos = nanos_of(match["time"])
        if nanos is None:
            return False
        told[nanos // SECOND] += count
    places = [place for place, entry in enumerate(entries) if place not in refused and entry.nanos // SECOND in told]
    if Counter(entries[place].nanos // SECOND for place in places) != told:
        return False
    refused |= dict.fromkeys(places, reason)
    return not _untold(reason, told, found, entries, refused)


def _untold(reason: str, told: Counter[int], found: Sequence[Told], entries: Sequence[Entry], refused: Refused) -> bool:
    """An entry that the rule refuses just as well, and that is not in the list: then the list is not whole."""
    rest = [entry.nanos // SECOND for place, entry in enumerate(entries) if place not in refused]
    if reason == "too_far_in_future":
        return any(second > min(told) for second in rest)
    oldest = nanos_of(found[0].match["oldest"])
    return oldest is None or any(second < oldest // SECOND for second in rest)


def _by_limit(measure: Callable[[Entry], int]) -> Callable[..., bool]:
    """Told with the limit that was exceeded; without one, all that have any must be meant."""

    def rule(reason: str, found: Sequence[Told], entries: Sequence[Entry], refused: Refused) -> bool:
        limit = int(found[0].match.groupdict().get("limit") or 0)
        places = [place for place, entry in enumerate(entries) if place not in refused and measure(entry) > limit]
        refused |= dict.fromkeys(places, reason)
        return len(places) == sum(told.times for told in found)

    return rule


def _metadata_size(entry: Entry) -> int:
    return sum(len(name.encode()) + len(value.encode()) for name, value in entry.metadata)


# In the order in which Loki looks: an entry is told once, with the first rule it breaks.
RULES: dict[str, Callable[..., bool]] = {
    "greater_than_max_sample_age": _by_second,
    "too_far_in_future": _by_second,
    "line_too_long": _by_limit(lambda entry: len(entry.line)),
    "structured_metadata_disallowed": _by_limit(lambda entry: len(entry.metadata)),
    "structured_metadata_too_large": _by_limit(_metadata_size),
    "structured_metadata_too_many": _by_limit(lambda entry: len(entry.metadata)),
}


def nanos_of(text: str) -> int | None:
    """A time as Go prints it, RFC 3339 or its own form, in nanoseconds since 1970."""
    match = _GO_TIME.match(text)
    if not match:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        return None
    return int(moment.timestamp()) * SECOND + int((fraction or "").ljust(9, "0") or 0)
