"""Where to begin in a file without a position: at its start, or at the lines of the last hour.

A new agent on an old node would send all that the kubelet has kept; `positions.look_back` bounds that, for the first
files of a target. Files that are found later are read from their beginning, however old they are. How far back the
first ones are read is saved with the target, so they may be unreadable for as long as they like. The lines of a
container's log stand in the order of their times, so the first recent one is found by bisection.
"""

import math
import time
from collections.abc import Callable

from shipper.source.tail.handles import BEYOND, Handle, PlainFile
from shipper.source.tail.names import ListedFile
from shipper.times import SECOND, parse_time

_NEAR = 1 << 16  # bytes between the bounds at which bisection ends; a line is seldom longer


class StartPolicy:
    """Skips lines of before `since`: so many `seconds` before the agent's start. None, when those are infinite."""

    def __init__(self, seconds: float, wall: Callable[[], int] = time.time_ns, since: int | None = None) -> None:
        """`since` is in ns since 1970."""
        self._seconds, self._wall = seconds, wall
        self.since = self._looked_back() if since is None else since

    def of_known(self, since: int) -> "StartPolicy":
        """For a target that an earlier process knew."""
        return self if since == self.since else StartPolicy(self._seconds, self._wall, since)

    def _looked_back(self) -> int:
        return 0 if math.isinf(self._seconds) else self._wall() - int(self._seconds * SECOND)

    def start(self, listed: ListedFile, handle: Handle) -> int:
        """The offset of a line start before which all lines are too old; BEYOND: all of them are."""
        if math.isinf(self._seconds):
            return 0
        oldest = min(self.since, self._looked_back())  # the clock may have been wrong at the start
        if listed.modified < oldest:
            return BEYOND if listed.name.gzipped else listed.size
        return first_since(handle, oldest) if isinstance(handle, PlainFile) else 0


def first_since(file: PlainFile, oldest: int) -> int:
    """The offset of a line start before which all lines are older than this time (ns); at most 64 KiB too early."""
    low, high = 0, file.size()
    while high - low > _NEAR:
        middle = (low + high) // 2
        start, nanos = _line_after(file, middle)
        if nanos is None:  # no time there: a line longer than 64 KiB, or no container's log
            return low
        if nanos < oldest:
            low = start
        else:
            high = middle
    return low


def _line_after(file: PlainFile, offset: int) -> tuple[int, int | None]:
    """Where the next line begins, and its time."""
    text = file.peek(offset, _NEAR)
    begin = text.find(b"\n") + 1
    line = text[begin : begin + 64].split(b" ", 1)[0] if begin else b""
    return offset + begin, parse_time(line)
