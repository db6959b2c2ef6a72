"""The life of a file: its states, and the events that lead from one to the next.

    UNREAD ── opened ──► READING ── read to its end ──► CAUGHT_UP ── closed ──► CLOSED
    CAUGHT_UP ── grew ──► READING          READING ── closed ──► UNREAD ◄── grew ── CLOSED
    UNREAD, READING, CAUGHT_UP ── failed ──► CLOSED ── opened ──► READING
    UNREAD, READING, CLOSED ── replaced ──► REPLACED ── opened: a copy of it ──► READING

Each event is a table of these steps. An event that cannot happen in a state is a bug: it raises KeyError. Whether a
name in the directory leads to the file is no part of this: a deleted file is read like any other while it is open.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final


class State(Enum):
    """What can be done with a file; each begins as UNREAD."""

    UNREAD = "closed, and there may be something to read", True
    READING = "open, and there may be more to read", True
    CAUGHT_UP = "open, and read to its end", False
    CLOSED = "closed, and nothing to do until it grows: read to its end, or it cannot be read", False
    REPLACED = "closed, and its content is gone from its inode: a copy may be found", False

    def __init__(self, meaning: str, may_have_more: bool) -> None:
        self.meaning, self.may_have_more = meaning, may_have_more

    __hash__ = object.__hash__  # an Enum's own is in Python, and the tables are asked for each block


Event = Mapping[State, State]

OPENED: Final[Event] = dict.fromkeys((State.UNREAD, State.CLOSED, State.REPLACED), State.READING)
READ_TO_ITS_END: Final[Event] = {State.READING: State.CAUGHT_UP}
GREW: Final[Event] = {
    State.UNREAD: State.UNREAD,
    State.READING: State.READING,
    State.CAUGHT_UP: State.READING,
    State.CLOSED: State.UNREAD,
}
CLOSED: Final[Event] = {
    State.UNREAD: State.UNREAD,
    State.READING: State.UNREAD,
    State.CAUGHT_UP: State.CLOSED,
    State.CLOSED: State.CLOSED,
    State.REPLACED: State.REPLACED,
}
# Of a file that is read to its end, the line without a newline there may be what cannot be read.
FAILED: Final[Event] = dict.fromkeys((State.UNREAD, State.READING, State.CAUGHT_UP), State.CLOSED)
# The name of an unread file may lead to another one, or none lead to it while what may be its copy cannot be read.
REPLACED: Final[Event] = dict.fromkeys((State.UNREAD, State.READING, State.CLOSED), State.REPLACED)
