"""Numbers, times and lists as a person reads them. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from shipper.times import SECOND

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def rfc3339(nanos: int | None) -> str | None:
    """To the millisecond."""
    if nanos is None:
        return None
    second, rest = divmod(nanos, SECOND)
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def number(value: int) -> str:
    """`1,200`."""
    return f"{value:,}"


def percent(share: float) -> str:
    """Never rounded to all or to nothing: `96 %`, `over 99 %`, `under 1 %`."""
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    rounded = round(share * 100)
    if rounded in (0, 100):
        return "under 1 %" if rounded == 0 else "over 99 %"
    return f"{rounded} %"


def counted(value: int, one: str, many: str = "") -> str:
    """`1 client`, `24 clients`."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def length(seconds: float) -> str:
    """The two largest units: `6 h`, `2 h 10 min`, `40 s`."""
    rest, parts = round(seconds), list[str]()
    for size, name in _UNITS:
        if rest >= size and len(parts) < 2:
            parts.append(f"{rest // size} {name}")
            rest %= size
        elif parts:
            break
    return " ".join(parts) or "0 s"


def clock(time: str | None, day: str) -> str:
    """A time of an RFC 3339 text; with its day where that is another than `day`."""
    if time is None:
        return "?"
    return time[11:19] if time[:10] == day else f"{time[5:10]} {time[11:16]}"


def span(begin: str | None, end: str | None) -> str:
    """`2026-11-30 08:00:00 to 14:30:00 UTC`; empty where no time is known."""
    if begin is None or end is None:
        return ""
    day = "" if begin[:10] == end[:10] else f"{end[:10]} "
    return f"{begin[:10]} {begin[11:19]} to {day}{end[11:19]} UTC"


def reasons(counts: Mapping[str, int]) -> str:
    """`cert_expired`; of several `cert_expired 120, plaintext 3`."""
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{reason} {number(count)}" for reason, count in counts.items())
