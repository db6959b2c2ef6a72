"""Tickets for tests that do not look at them."""

from shipper.entries import Entries, Ticket


class _Nobody:
    def settled(self, entries: Entries, dropped: int) -> None:
        """Nobody has to know."""


def ticket() -> Ticket:
    """A ticket whose owner does nothing."""
    return Ticket(_Nobody(), None, 0)
