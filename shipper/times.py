"""Times as the container runtime, Envoy and Go write them, to nanoseconds since 1970, UTC. None for any other text."""

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000_000_000  # nanoseconds

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NANO_DIGITS: Final = 9
_Z: Final = b"Z"[0]
# How many nanoseconds the last digit of a fraction counts, by the number of its digits.
_UNITS: Final = tuple(10 ** (_NANO_DIGITS - digits) for digits in range(_NANO_DIGITS + 1))
_GO_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,9})?) ?(Z|[+-]\d\d:?\d\d)")


def parse_time(text: bytes) -> int | None:
    """An RFC 3339 time with any number of digits and any offset.

    Digits beyond the ninth are cut off: Loki keeps nanoseconds.
    """
    second = _second(text[:19])
    if second is None:
        return None
    if len(text) == 30 and text[29:] == b"Z" and text[19:20] == b"." and (digits := text[20:29]).isdigit():
        return second * SECOND + int(digits)  # nine in ten are written so
    rest = text[19:]
    if rest[-1:] == b"Z":
        fraction, offset = rest[:-1], 0
    elif len(rest) >= 6 and (found := _offset(rest[-6:])) is not None:
        fraction, offset = rest[:-6], found
    else:
        return None
    if not fraction:
        return (second - offset) * SECOND
    digits = fraction[1:]
    if fraction[:1] != b"." or not digits.isdigit():
        return None
    return (second - offset) * SECOND + int(digits[:_NANO_DIGITS].ljust(_NANO_DIGITS, b"0"))


def parse_times(texts: Sequence[bytes]) -> list[int | None]:
    """`parse_time` of each text, of at least one; faster where most share the second of the first."""
    begin = texts[0][:20]  # with the second's point
    second = parse_time(begin[:19] + b"Z")
    if second is None or begin[19:] != b".":
        return list(map(parse_time, texts))
    return [
        second + int(digits) * _UNITS[len(digits)]
        if text[:20] == begin and text[-1] == _Z and (digits := text[20:-1]).isdigit() and len(digits) <= _NANO_DIGITS
        else parse_time(text)
        for text in texts
    ]


def parse_go_time(text: str) -> int | None:
    """A time at the beginning of a text as Go prints it: RFC 3339, or `2026-11-23 10:30:00.5 +0000 UTC`."""
    match = _GO_TIME.match(text)
    if match is None:
        return None
    day, clock, zone = match.groups()
    offset = zone if zone == "Z" else f"{zone[:3]}:{zone[-2:]}"
    return parse_time(f"{day}T{clock}{offset}".encode())


def parse_iso_time(text: str) -> int | None:
    """Any ISO 8601 time, to the microsecond; UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND * 1000


def rfc3339(nanos: int) -> str:
    """A time in RFC 3339 with all its nanoseconds."""
    second, fraction = divmod(nanos, SECOND)
    try:
        return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"
    except (ValueError, OverflowError, OSError):
        return str(nanos)


@lru_cache(maxsize=4096)  # lines of one second share it
def _second(text: bytes) -> int | None:
    if not re.fullmatch(rb"\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d", text):  # Python 3.14 would take 24:00:00
        return None
    try:
        return calendar.timegm(datetime.fromisoformat(text.decode()).timetuple())
    except ValueError:  # the 13th month
        return None


@lru_cache(maxsize=64)
def _offset(text: bytes) -> int | None:
    """Seconds east of UTC of `+02:00`."""
    if not re.fullmatch(rb"[+-]\d\d:[0-5]\d", text) or text[1:3] > b"23":
        return None
    seconds = int(text[1:3]) * 3600 + int(text[4:6]) * 60
    return -seconds if text[:1] == b"-" else seconds
