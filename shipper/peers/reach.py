"""Whether the directory answers, and when it may be asked again. Pure: times are given."""

from collections.abc import Iterator

from shipper.backoff import waits
from shipper.peers.timing import PeerTiming


class Reach:
    """Counts failures in a row. Times are seconds of one clock."""

    def __init__(self, timing: PeerTiming) -> None:
        self._timing = timing
        self._failures = 0
        self._failed_at = float("-inf")
        self._waits: Iterator[float] | None = None
        self.not_before = float("-inf")  # of the next request

    @property
    def is_failing(self) -> bool:
        """The last request has failed: the next ones go alone."""
        return self._failures > 0

    @property
    def is_away(self) -> bool:
        """Several have failed in a row: only a probe is sent."""
        return self._failures >= self._timing.failures

    def answered(self) -> None:
        """A request was answered."""
        self._failures, self._waits, self.not_before = 0, None, float("-inf")

    def failed(self, began: float, now: float) -> None:
        """A request that began then has failed. Those that were under way together fail together, and count once."""
        if self.is_failing and began < self._failed_at:
            return
        self._failures, self._failed_at = self._failures + 1, now
        self._waits = self._waits or waits(self._timing.first_backoff, self._timing.longest_backoff)
        self.not_before = now + next(self._waits)
