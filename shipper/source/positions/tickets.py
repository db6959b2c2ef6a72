"""How far each file is safely shipped: the settled prefix of what was read.

A position moves when Loki has answered for everything before it, not when a line is read.
"""

from typing import Any, Protocol

from shipper.entries import Owner, Ticket


class Positioned(Protocol):
    """A file with a committed offset."""

    committed: int


class Tickets:
    """One target's tickets, in the order of reading: its files are one log, so they are committed in one order."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._open: list[Ticket] = []  # not a deque: an empty one is as large as all else of a quiet target

    def __len__(self) -> int:
        return len(self._open)

    def add(self, file: Positioned, end: int, entries: int) -> Ticket:
        """Entries on their way, after which the file is safe up to `end`."""
        last = self._open[-1] if self._open else None
        if not entries and last is not None and last.file is file:
            last.end = end  # nothing in between that must arrive
            return last
        ticket = Ticket(self._owner, file, end, entries)
        self._open.append(ticket)
        self._commit()
        return ticket

    def settle(self, ticket: Ticket, entries: int) -> bool:
        """So many of the ticket's entries need no more care; whether a position has moved."""
        ticket.unsettled -= entries
        return self._commit()

    def _commit(self) -> bool:
        settled = 0
        for ticket in self._open:
            if ticket.unsettled:
                break
            file: Any = ticket.file
            file.committed = ticket.end
            settled += 1
        del self._open[:settled]
        return settled > 0
