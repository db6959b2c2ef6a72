"""How many log files may be open: those with nothing to read are closed for others, and opened again when they grow."""

import resource
from collections.abc import Callable
from typing import Final

from shipper.source.follower import Follower
from shipper.source.tail import handles

SPARE: Final = 64  # descriptors for everything that is no log


def soft_limit() -> int:
    """Descriptors that the process may have."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Descriptors:
    """Keeps the number of open log files within bounds."""

    def __init__(self, wanted: int, process_limit: Callable[[], int] = soft_limit) -> None:
        """Idle files are closed above `wanted`; none is opened where it would leave the process too few."""
        self._wanted, self._process_limit = wanted, process_limit
        self._idle: dict[Follower, None] = {}  # have open files and nothing to read, the longest idle first

    def busy(self, follower: Follower) -> None:
        """It may have something to read: its files stay open."""
        self._idle.pop(follower, None)

    def idle(self, follower: Follower) -> None:
        """It has nothing to read."""
        if follower.files.are_open:
            self._idle[follower] = None
            if handles.open_count() > self._wanted:
                self.close_idle(self._wanted)

    def may_open(self, follower: Follower) -> bool:
        """Whether the process may have one more file; idle ones are closed for it."""
        soft = self._process_limit()
        possible = soft - min(SPARE, soft // 2)
        if handles.open_count() >= possible:
            self.close_idle(possible - 1)
        return handles.open_count() < possible or follower.files.are_open

    def close_idle(self, most: int) -> None:
        """Close idle files until no more than so many files are open."""
        while self._idle and handles.open_count() > most:
            other = next(iter(self._idle))
            del self._idle[other]
            other.files.release_idle()
