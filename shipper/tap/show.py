"""How an event is printed: a row for a person, or a line of JSON for a program."""

import os
import shutil
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

import orjson

from shipper.explain.kept import explain_kept, row_of
from shipper.explain.render import safe
from shipper.tap.events import ENTRY, LOST, Event
from shipper.terminal import shows_colors

TEXT, JSON = "text", "json"

_RED, _DIM = "31", "2"
_TIME: Final = slice(11, 23)  # of an RFC 3339 time: the clock, to the millisecond
_NARROWEST: Final = 30  # columns for all but the time, else nothing can be told apart
_REASON: Final = 20  # columns of the longest one


def shown(out: TextIO, output: str) -> Callable[[Event], None]:
    """What prints an event to `out`, as text or json."""
    color = shows_colors(out, os.environ)

    def show(event: Event) -> None:
        if output == JSON:
            text = orjson.dumps(event.data if event.kind == ENTRY else {event.kind: event.data}).decode()
        elif event.kind == ENTRY:
            text = row(event.data, shutil.get_terminal_size().columns, color=color)
        elif event.kind == LOST:
            text = f"  … {event.data} more were kept than could be shown"
        else:
            return
        print(text, file=out, flush=True)

    return show


def row(entry: Mapping[str, Any], width: int, *, color: bool) -> str:
    """Time, who, whom, and why, in `width` columns."""
    labels, line = entry.get("labels") or {}, str(entry.get("line", ""))
    found = row_of(explain_kept(line.encode(errors="replace"), labels), labels)
    clock = str(entry.get("timestamp", ""))[_TIME]
    room = max(_NARROWEST, width - len(clock) - len("  " * 3 + "→ "))
    names = max(_NARROWEST // 2, room - max(len(found.why), min(_REASON, room // 4)))
    whom = names * 2 // 5
    return "  ".join(
        (
            _ink(safe(clock), _DIM, color),
            _fit(safe(found.who), names - whom).ljust(names - whom),
            "→ " + _fit(safe(found.whom), whom).ljust(whom),
            _ink(_fit(safe(found.why), room - names), _RED, color),
        )
    )


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"  # the end tells more


def _ink(text: str, tone: str, color: bool) -> str:
    return f"\x1b[{tone}m{text}\x1b[0m" if color else text
