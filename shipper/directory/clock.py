"""The time of day, and whether somebody has set it."""

import time
from collections.abc import Callable


class Clock:
    """Nanoseconds since 1970, UTC."""

    def __init__(
        self,
        tolerance: int,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`tolerance`: nanoseconds by which it may differ from a steady clock between two looks."""
        self._tolerance, self._wall, self._steady = tolerance, wall, steady
        self._offset = wall() - steady()

    def now(self) -> int:
        """The time of day."""
        return self._wall()

    def was_set(self) -> bool:
        """Whether it has jumped since the last call: it was set, or the machine slept."""
        offset = self._wall() - self._steady()
        jump, self._offset = abs(offset - self._offset), offset
        return jump > self._tolerance
