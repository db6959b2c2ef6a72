"""The container runtime's line format: `<RFC3339Nano> <stdout|stderr> <tags> <content>`.

Knows nothing of what the content means. The format is the kubelet's CRI logging format; the first tag is `F` (full)
or `P` (partial: the rest comes with the next line of the same stream), further ones after a colon are ignored.
Lines that begin with `{` are taken without the prefix: `kubectl logs > x.log`.
"""

import calendar
import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

SECOND = 1_000_000_000
NANO_DIGITS = 9
_Z = b"Z"[0]
_UNITS = tuple(10 ** (NANO_DIGITS - digits) for digits in range(NANO_DIGITS + 1))  # nanoseconds of the last digit
STREAMS = (b"stdout", b"stderr")
PLAIN = b" stdout F "  # what stands between time and content of nearly every line

# The same lines, told apart for a whole block at once: what is JSON, and which is Envoy's text access log, Istio's
# default format, `[2026-11-23T10:30:00.123Z] "GET /..`.  `[^ \n]` and `[ \t]` keep a match within its line.
_PREFIX = rb"(?:[^ \n]+ (?:stdout|stderr) F(?::[^ \n]*)? )?"
_JSON = rb"[ \t]*\{"
_TEXT = rb'\[\d{4}-\d\d-\d\dT[^\] \n]*\] "'
JSON_LINE = re.compile(rb"(?m)^" + _PREFIX + _JSON)
TEXT_LINE = re.compile(rb"(?m)^(?!" + _JSON + rb")" + _PREFIX + _TEXT)  # what begins with `{` has no prefix
TEXT_CONTENT = re.compile(_TEXT)  # of a line that was taken apart


class CriLine(NamedTuple):
    """One line of a log file, taken apart; `time` and `stream` are empty where there was no prefix."""

    time: bytes
    stream: bytes
    partial: bool
    content: bytes


def split_line(line: bytes) -> CriLine | None:
    """The parts of a line (without its newline); None when it is neither CRI nor bare JSON."""
    if line[:1] == b"{" or (line[:1] in b" \t" and line.lstrip(b" \t")[:1] == b"{"):
        return CriLine(b"", b"", False, line)
    parts = line.split(b" ", 3)
    if len(parts) < 4 or not parts[0] or parts[1] not in STREAMS:
        return None
    time, stream, tags, content = parts
    if tags == b"F" or tags.startswith(b"F:"):
        return CriLine(time, stream, False, content)
    if tags == b"P" or tags.startswith(b"P:"):
        return CriLine(time, stream, True, content)
    return None


def parse_time(text: bytes) -> int | None:
    """Nanoseconds since 1970 of an RFC 3339 time with any number of digits and any offset; None when it is none.

    Digits beyond the ninth are cut off, for a nanosecond is all that Loki keeps.
    """
    second = _second(text[:19])
    if second is None:
        return None
    if len(text) == 30 and text[29:] == b"Z" and text[19:20] == b"." and (digits := text[20:29]).isdigit():
        return second * SECOND + int(digits)  # as nine in ten are
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
    return (second - offset) * SECOND + int(digits[:NANO_DIGITS].ljust(NANO_DIGITS, b"0"))


def parse_times(texts: Sequence[bytes]) -> list[int | None]:
    """The same of some, at least one; quick for those that share the first one's second, as most do."""
    begin = texts[0][:20]  # with the second's point
    second = parse_time(begin[:19] + b"Z")
    if second is None or begin[19:] != b".":
        return list(map(parse_time, texts))
    return [
        second + int(digits) * _UNITS[len(digits)]
        if text[:20] == begin and text[-1] == _Z and (digits := text[20:-1]).isdigit() and len(digits) <= NANO_DIGITS
        else parse_time(text)
        for text in texts
    ]


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
