"""Sinks without a Loki: entries are shown, or only counted.

They settle entries as soon as they are put, and take the sender's place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from shipper.entries import Entries
from shipper.metrics import Metrics


class _Immediate:
    """Settles what is put at once, so nothing is ever waiting to be pushed."""

    def push_fullest(self) -> None:
        """Nothing is queued."""

    def backlog(self, more: bool) -> None:
        """Nothing waits for more entries."""


class Show(Protocol):
    """Shows entries to a person or a program."""

    def show(self, entries: Entries) -> None:
        """Show these, perhaps later."""

    def caught_up(self) -> None:
        """All that is there was read: what was held back is shown now."""


class ClosedOutput(Exception):
    """Nobody reads what is shown any more: the run has no purpose left."""


class Printer(_Immediate):
    """`--dry-run`: shows what would be sent."""

    def __init__(self, show: Show, metrics: Metrics) -> None:
        self._show, self._metrics = show, metrics

    def put(self, entries: Entries) -> None:
        """Show these."""
        with _open_output():
            self._show.show(entries)
        self._metrics.entries_sent.inc(len(entries))
        entries.ticket.owner.settled(entries, 0)

    def backlog(self, more: bool) -> None:
        """Whether there is more to read at once."""
        if not more:
            with _open_output():
                self._show.caught_up()


@contextmanager
def _open_output() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ClosedOutput from error


class Nowhere(_Immediate):
    """`clients: []`: entries are only counted."""

    REASON = "no_client"

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def put(self, entries: Entries) -> None:
        """Count these."""
        self._metrics.entries_dropped.labels(reason=self.REASON).inc(len(entries))
        entries.ticket.owner.settled(entries, len(entries))
