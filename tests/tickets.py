"""Tickets for tests that do not look at them, and columns of given entries."""

from collections.abc import Iterable

from shipper.entries import Entries, Ticket
from shipper.model import Columns, Entry


class _Nobody:
    def settled(self, entries: Entries, dropped: int) -> None:
        """Nobody has to know."""


def ticket() -> Ticket:
    """A ticket whose owner does nothing."""
    return Ticket(_Nobody(), None, 0)


def columns_of(entries: Iterable[Entry]) -> Columns:
    """These entries as columns."""
    columns = Columns()
    for entry in entries:
        columns.add(*entry)
    return columns
