"""How fast pushes may go after a 429 that named its rate: in small requests, spread over time.

A refused request costs its bytes and stores nothing. The limit is shared with all who push for the same tenant, so a
rate that is still too fast is lowered, and slowly raised again. Knows nothing of requests.
"""

from collections.abc import Callable
from math import inf

KEPT_FOR = 300.0  # seconds after the last 429
SPAN = 1.0  # seconds: a request holds what the rate gives in that time
MARGIN = 0.95  # of the limit that is used
SMALLEST_SHARE = 1 / 64
LONGEST_WAIT = 60.0  # seconds


class Pace:
    """The pace of the tenant, or of one stream. Without a limit it costs nothing."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rate = 0.0  # bytes a second
        self._share = 1.0  # of the rate
        self._until = 0.0
        self.most = inf  # bytes of a request; infinite: no limit is known
        self.opens_at = 0.0  # when the next push may begin, in seconds of the monotonic clock

    def limit(self, rate: float) -> None:
        """A 429 named this rate, in bytes a second."""
        now = self._clock()
        self._share = max(SMALLEST_SHARE, self._share * 0.7) if self.most < inf else 1.0
        self._rate, self._until = rate * MARGIN, now + KEPT_FOR
        self.most = max(1.0, self._rate * self._share * SPAN)
        self.opens_at = max(self.opens_at, now + SPAN)

    def spend(self, size: int) -> None:
        """A push of so many bytes begins."""
        now = self._clock()
        if now >= self._until:
            self.most, self.opens_at = inf, 0.0
            return
        wait = size / (self._rate * self._share)
        self.opens_at = max(now, self.opens_at) + min(wait, LONGEST_WAIT)
        self._share = min(1.0, self._share * 1.01)
        self.most = max(1.0, self._rate * self._share * SPAN)
