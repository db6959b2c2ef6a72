"""Sinks without a Loki: entries are printed, or only counted.

They settle entries as soon as they are put, and take the sender's place.
"""

from datetime import UTC, datetime
from typing import TextIO

from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.times import SECOND


class _Immediate:
    """Settles what is put at once, so nothing is ever waiting to be pushed."""

    def push_fullest(self) -> None:
        """Nothing is queued."""

    def backlog(self, more: bool) -> None:
        """Nothing waits for more entries."""


class Printer(_Immediate):
    """`--dry-run`: prints what would be sent, one entry a line: labels, time, the log line."""

    def __init__(self, out: TextIO, metrics: Metrics) -> None:
        self._out, self._metrics = out, metrics

    def put(self, entries: Entries) -> None:
        """Print these."""
        for entry in entries.unpacked():
            metadata = "".join(f" {name}={value!r}" for name, value in entry.metadata)
            line = entry.line.decode(errors="backslashreplace")
            self._out.write(f"{entries.labels}{metadata} {rfc3339(entry.nanos)} {line}\n")
        self._out.flush()
        self._metrics.entries_sent.inc(len(entries))
        entries.ticket.owner.settled(entries, 0)


class Nowhere(_Immediate):
    """`clients: []`: entries are only counted."""

    REASON = "no_client"

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def put(self, entries: Entries) -> None:
        """Count these."""
        self._metrics.entries_dropped.labels(reason=self.REASON).inc(len(entries))
        entries.ticket.owner.settled(entries, len(entries))


def rfc3339(nanos: int) -> str:
    """A time in RFC 3339 with all its nanoseconds."""
    second, fraction = divmod(nanos, SECOND)
    try:
        return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"
    except (ValueError, OverflowError, OSError):
        return str(nanos)
