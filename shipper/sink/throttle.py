"""Keeps a log readable: what repeats is said once, then at most once a minute, with how often it was."""

import math
from collections.abc import Callable

MINUTE = 60.0


class Throttle:
    """Counts what is not said. Keys must be few."""

    def __init__(self, clock: Callable[[], float], period: float = MINUTE) -> None:
        self._clock = clock
        self._period = period
        self._said: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def to_say(self, key: str, times: int = 1) -> int:
        """How many times to tell of now, these included; 0: say nothing yet."""
        now = self._clock()
        self._unsaid[key] = self._unsaid.get(key, 0) + times
        if now < self._said.get(key, -math.inf) + self._period:
            return 0
        self._said[key] = now
        return self._unsaid.pop(key)
