"""Numbers, durations and sizes as a configuration writes them: read and printed.

Pure. A ValueError says what is wrong, in words for the operator.
"""

import math
import re
from typing import Final

from shipper.config.errors import shown

KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30

DURATION: Final = "a duration such as 250ms, 30s or 1m30s"
SIZE: Final = "a size such as 256KiB or 1MiB"
LOOK_BACK: Final = "all, or a duration such as 1h"
MAX_SECONDS: Final = 3650 * 86400  # a longer duration is a mistake, and no timer takes it

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,99}\.[0-9]{0,99}|\.[0-9]{1,99})(?:[eE][-+]?[0-9]{1,3})?")
_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,15}}(?:\.[0-9]{{1,9}})?){unit})?" for unit in _SECONDS))
_BYTES: Final = {"GiB": GIB, "MiB": MIB, "KiB": KIB, "B": 1}
_SIZE = re.compile(r"([0-9]{1,18})(B|KiB|MiB|GiB)?")
_OTHER_SIZE = re.compile(r"[0-9.]+\s*([kmg])i?b?", re.IGNORECASE)


class Seconds(float):
    """A duration: `250ms`, `1s`, `5m`, `1h`, `7d`; a bare number means seconds."""


class LookBack(Seconds):
    """A duration, or `all`, which is infinite."""


class Bytes(int):
    """A size: `64KiB`, `1MiB`; a bare number means bytes."""


def number(text: str) -> int | float | None:
    """A decimal number; None for anything else, also for `010`, which is eight to some."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else None


def seconds(value: object) -> Seconds:
    """A duration from text (`1m30s`, units in falling order) or a bare number of seconds."""
    amount = number(value) if isinstance(value, str) else value
    if isinstance(value, str) and amount is None and value and (match := _DURATION.fullmatch(value)):
        parts = zip(match.groups(), _SECONDS.values(), strict=True)
        amount = math.fsum(float(part) * unit for part, unit in parts if part)
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= MAX_SECONDS:
        raise ValueError(f"expected {DURATION}, got {shown(value)}")
    return Seconds(amount)


def look_back(value: object) -> LookBack:
    """`all`, or a duration."""
    if value == "all":
        return LookBack("inf")
    try:
        return LookBack(seconds(value))
    except ValueError:
        raise ValueError(f"expected {LOOK_BACK}, got {shown(value)}") from None


def size(value: object) -> Bytes:
    """A size from text (`1MiB`) or a bare number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return Bytes(value)
    if isinstance(value, str):
        if match := _SIZE.fullmatch(value):
            return Bytes(int(match[1]) * _BYTES[match[2] or "B"])
        if match := _OTHER_SIZE.fullmatch(value):
            unit = "K" if match[1] in "kK" else match[1].upper()
            raise ValueError(f"expected {SIZE}, got {shown(value)}; write whole {unit}iB")
    raise ValueError(f"expected {SIZE}, got {shown(value)}")


def duration_text(seconds: float) -> str:
    """The duration in its largest unit that gives a whole number: `90s`, `2h`; to the millisecond."""
    millis = round(seconds * 1000)
    for name, unit in _SECONDS.items():
        if millis % (of_unit := round(unit * 1000)) == 0 and (millis or name == "s"):
            return f"{millis // of_unit}{name}"
    raise AssertionError  # a millisecond divides all


def size_text(size: int) -> str:
    """The size in its largest unit that gives a whole number: `64KiB`."""
    name = next(name for name, unit in _BYTES.items() if size % unit == 0 and (size or name == "B"))
    return f"{shown(int(size) // _BYTES[name])}{name}"


def quantity_text(value: Seconds | Bytes) -> str:
    """A duration, a look-back or a size as a file would have it."""
    if isinstance(value, Bytes):
        return size_text(value)
    return "all" if isinstance(value, LookBack) and math.isinf(value) else duration_text(value)
