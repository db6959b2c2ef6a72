"""Which time a query is of: `--since`, or `--from` and `--to`; and the time before, `--against`. Pure."""

from typing import NamedTuple

from shipper.config import ConfigError
from shipper.config.errors import shown
from shipper.config.units import seconds
from shipper.times import SECOND, parse_iso_time


class Period(NamedTuple):
    """From a time to before another, nanoseconds since 1970."""

    begin: int
    end: int


def period(since: str | None, begin: str | None, end: str | None, now: int) -> Period:
    """The time that is meant; the last hour if nothing is given. Raises ConfigError."""
    if since is not None and begin is not None:
        raise ConfigError("report: give --since or --from, not both")
    until = now if end is None else _time("--to", end)
    start = until - _length("--since", since or "1h") if begin is None else _time("--from", begin)
    if start >= until:
        raise ConfigError("report: --from must be before --to")
    return Period(start, until)


def before(found: Period, against: str) -> Period:
    """So much time before the period. Raises ConfigError."""
    return Period(found.begin - _length("--against", against), found.begin)


def _length(flag: str, text: str) -> int:
    try:
        length = int(seconds(text) * SECOND)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}") from error
    if not length:
        raise ConfigError(f"{flag}: expected some time, got {shown(text)}")
    return length


def _time(flag: str, text: str) -> int:
    nanos = parse_iso_time(text)
    if nanos is None:
        raise ConfigError(f"{flag}: expected a time such as 2026-11-30T14:00:00Z, got {shown(text)}")
    return nanos
