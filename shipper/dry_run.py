"""What a dry run shows of the entries that would be sent: a table for a terminal, JSON lines for a pipe.

The table is in time order as far as the logs are there already: it is written once all is read, and then as more comes.
Imported only by a dry run.
"""

import shutil
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TextIO

import orjson

from shipper.entries import Entries
from shipper.explain.kept import explain_kept, row_of
from shipper.explain.render import safe
from shipper.tap.label_text import labels_of
from shipper.times import rfc3339

MOST_ROWS: Final = 100_000  # that are held back to be put in order: some 50 MB

Loads = Callable[[bytes], Any]  # reads a JSON text

_SIZE: Final = (80, 24)  # of a terminal that does not tell
_TIME, _REASON, _GAP = 24, 20, 2  # columns
_NARROWEST: Final = 12


class JsonLines:
    """`{"time":…,"labels":{…},"metadata":{…},"line":…}`: the line as an object where it is JSON, else as text."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def show(self, entries: Entries) -> None:
        """Write these."""
        labels = labels_of(entries.labels)
        for entry in entries.unpacked():
            told: dict[str, Any] = {"time": rfc3339(entry.nanos), "labels": labels}
            if entry.metadata:
                told["metadata"] = dict(entry.metadata)
            told["line"] = _embedded(entry.line)
            self._out.write(f"{orjson.dumps(told).decode()}\n")
        self._out.flush()

    def caught_up(self) -> None:
        """Nothing was held back."""


class _Row(NamedTuple):
    nanos: int
    who: str
    whom: str
    reason: str


class Table:
    """A line for each entry: when, who, whom, why."""

    def __init__(self, out: TextIO, width: int, loads: Loads = orjson.loads, most: int = MOST_ROWS) -> None:
        self._out, self._loads, self._most = out, loads, most
        self._name = max(_NARROWEST, (width - _TIME - _REASON - 3 * _GAP) // 2)  # columns of a name
        self._rows: list[_Row] = []
        self._has_head = False

    def show(self, entries: Entries) -> None:
        """Note these for the table."""
        labels = labels_of(entries.labels)
        for entry in entries.unpacked():
            row = row_of(explain_kept(entry.line, labels, self._loads), labels)
            self._rows.append(_Row(entry.nanos, *row))
        if len(self._rows) >= self._most:
            self.caught_up()

    def caught_up(self) -> None:
        """Write what is there, in its order."""
        if self._rows and not self._has_head:
            self._write("TIME", "WHO", "WHOM", "WHY")
            self._has_head = True
        for row in sorted(self._rows):
            self._write(rfc3339(row.nanos)[:23] + "Z", row.who, row.whom, row.reason)
        self._rows.clear()
        self._out.flush()

    def _write(self, time: str, who: str, whom: str, why: str) -> None:
        who, whom = (_fitted(name, self._name).ljust(self._name + _GAP) for name in (who, whom))
        self._out.write(f"{time.ljust(_TIME + _GAP)}{who}{whom}{why}\n")


def output(to: TextIO, loads: Loads) -> JsonLines | Table:
    """What suits this stream."""
    return Table(to, shutil.get_terminal_size(_SIZE).columns, loads) if to.isatty() else JsonLines(to)


def _embedded(line: bytes) -> object:
    if line.lstrip()[:1] == b"{":
        try:
            orjson.loads(line)
        except ValueError:
            pass
        else:
            return orjson.Fragment(line)
    return line.decode(errors="replace")


def _fitted(text: str, width: int) -> str:
    """The text in so many columns: of a long one the end tells more than the beginning."""
    text = safe(text)
    return text if len(text) <= width else f"…{text[len(text) - width + 1 :]}"
