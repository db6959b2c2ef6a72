"""Whose turn it is: of the streams that are due, the one that has waited longest.

A stream costs something only while it has a turn coming. Knows nothing of why a stream waits.
"""

import heapq
from itertools import count
from math import inf

from shipper.sink.stream import Stream

Turn = tuple[float, int, Stream]  # when, a number that makes it unique, whose


class Schedule:
    """At most one coming turn per stream."""

    def __init__(self) -> None:
        self._later: list[Turn] = []  # by the time they are due
        self._due: list[Turn] = []  # by the age of what waits
        self._numbers = count()
        self._current: dict[Stream, int] = {}  # turns with another number are void

    def __bool__(self) -> bool:
        return bool(self._current)

    def add(self, stream: Stream, due: float, now: float) -> None:
        """Give the stream a turn at `due`, in place of the one it may have."""
        number = self._current[stream] = next(self._numbers)
        if due <= now:
            heapq.heappush(self._due, (stream.since, number, stream))
        else:
            heapq.heappush(self._later, (due, number, stream))

    def pop(self, now: float) -> Stream | None:
        """The stream whose turn it is, if any; it has no turn then."""
        if self._later:
            self._move(now)
        while self._due:
            _, number, stream = heapq.heappop(self._due)
            if self._current.get(stream) == number:
                del self._current[stream]
                return stream
        return None

    def due(self, now: float) -> int:
        """How many turns there are now; those that are void may be counted too."""
        if self._later:
            self._move(now)
        return len(self._due)

    @property
    def next_due(self) -> float:
        """When the first of the turns will be that were not due when it was asked last; infinite: there is none."""
        return self._later[0][0] if self._later else inf

    def _move(self, now: float) -> None:
        """Sort what has become due by age, and forget what is void."""
        while self._later:
            due, number, stream = self._later[0]
            valid = self._current.get(stream) == number
            if valid and due > now:
                return
            heapq.heappop(self._later)
            if valid:
                heapq.heappush(self._due, (stream.since, number, stream))
