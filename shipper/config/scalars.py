"""Single values: `${VAR}` in a text, a plain text to a value, text to durations and sizes.

Pure. A ValueError says what is wrong, in words fit for the operator.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from shipper.config.rules import shown
from shipper.config.sections import GIB, KIB, MIB, Bytes, LookBack, Seconds

DURATION: Final = "a duration such as 250ms, 30s or 1m30s"
SIZE: Final = "a size such as 256KiB or 1MiB"
LOOK_BACK: Final = "all, or a duration such as 1h"
MAX_SECONDS: Final = 3650 * 86400  # beyond it a duration is a mistake, and no timer takes it

_VARIABLE = re.compile(r"\$(?:(\$)|\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?)")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = {
    **{spelling: True for word in ("true", "yes", "on") for spelling in (word, word.title(), word.upper())},
    **{spelling: False for word in ("false", "no", "off") for spelling in (word, word.title(), word.upper())},
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,99})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,99}\.[0-9]{0,99}|\.[0-9]{1,99})(?:[eE][-+]?[0-9]{1,3})?")
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_DURATION = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in ("d", "h", "m", "s", "ms")))
_UNITS_IN_SECONDS = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_SIZE = re.compile(r"([0-9]{1,18})(B|KiB|MiB|GiB)?")
_SIZE_UNITS: Final = {None: 1, "B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB}
_OTHER_SIZE = re.compile(r"[0-9.]+\s*([kmg])i?b?", re.IGNORECASE)


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`${VAR}` and `${VAR:-default}` replaced, `$$` made `$`; the default also stands for an empty VAR.

    A `$` before anything else is itself. Raises ValueError for a variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        dollar, name, default = match.groups()
        if dollar:
            return "$"
        if name is None:
            if match[0] == "$":
                return "$"
            raise ValueError("expected ${NAME} or ${NAME:-default}; a literal $ is written $$")
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise ValueError(f"the environment variable {name} is not set")
        return environ[name]

    return _VARIABLE.sub(value, text)


def resolved(text: str) -> object:
    """What a plain scalar means: null, bool, int or float, else text.

    Decimal numbers only: `010`, `12:30` and `2026-01-01` stay text, where YAML 1.1 sees 8, 750 and a date.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def seconds(value: object) -> Seconds:
    """A duration from text (`1m30s`, units in falling order) or a bare number of seconds."""
    number = _bare_number(value)
    if isinstance(value, str) and number is None and value and (match := _DURATION.fullmatch(value)):
        parts = zip(match.groups(), _UNITS_IN_SECONDS, strict=True)
        number = math.fsum(float(part) * unit for part, unit in parts if part)
    if number is None or not 0 <= number <= MAX_SECONDS:
        raise ValueError(f"expected {DURATION}, got {shown(value)}")
    return Seconds(number)


def _bare_number(value: object) -> float | None:
    if isinstance(value, str):
        value = resolved(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


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
            return Bytes(int(match[1]) * _SIZE_UNITS[match[2]])
        if match := _OTHER_SIZE.fullmatch(value):
            unit = "K" if match[1] in "kK" else match[1].upper()
            raise ValueError(f"expected {SIZE}, got {shown(value)}; write whole {unit}iB")
    raise ValueError(f"expected {SIZE}, got {shown(value)}")
