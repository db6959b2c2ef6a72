"""Whether Loki as a whole takes pushes, and how large they may be.

While it takes none, one request at a time probes, with growing waits between. Knows nothing of streams' own
troubles, and sends nothing.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shipper.backoff import waits
from shipper.config import BackoffConfig
from shipper.log import Seldom
from shipper.sink.answers.status import Trouble, Unavailable

log = logging.getLogger(__name__)

DOUBTS = 3  # streams refused in a row with words nobody knows: then it is not about their lines
REGROWTH = 60.0  # seconds without complaint after which requests may be twice as large


@dataclass(frozen=True, slots=True)
class Attempt:
    """A push that has begun."""

    epoch: int  # what was known of the destination then
    probes: bool


class Destination:
    """Times are of the monotonic clock, in seconds."""

    def __init__(self, config: BackoffConfig, clock: Callable[[], float]) -> None:
        self._config = config
        self._clock = clock
        self._epoch = 0
        self._ordinary = Attempt(0, probes=False)  # of this epoch
        self._trouble: Trouble | None = None
        self._failing_since = 0.0
        self._probing = False
        self._not_before = 0.0
        self._waits: Iterator[float] | None = None
        self._doubted: set[str] = set()
        self._reports = Seldom(clock)
        self.last_success = -math.inf

    @property
    def failing(self) -> str:
        """What is wrong with it; empty when it works as far as anyone knows."""
        return str(self._trouble) if self._trouble else ""

    @property
    def opens_at(self) -> float:
        """When the next push may begin; infinite while a probe is under way."""
        return math.inf if self._probing else self._not_before

    def begin(self) -> Attempt:
        """A push begins; one of the methods below tells how it ended."""
        if self._trouble is None:
            return self._ordinary
        self._probing = True
        return Attempt(self._epoch, probes=True)

    def works(self, attempt: Attempt, *, stored: bool) -> None:
        """It answered as Loki does, even if it refused entries or made a stream wait."""
        self._end(attempt)
        if stored:
            self.last_success = self._clock()
            self._doubted.clear()
        if self._trouble and attempt.epoch == self._epoch:
            self._recover()

    def failed(self, attempt: Attempt, trouble: Trouble) -> None:
        """It takes nothing. Several pushes that began before this was known count once."""
        self._end(attempt)
        now = self._clock()
        if attempt.epoch == self._epoch:
            if not self._trouble:
                self._failing_since = now
            self._epoch += 1
            self._waits = self._waits or waits(self._config.min_period, self._config.max_period)
            self._not_before = max(self._not_before, now + next(self._waits))
            self._trouble = trouble
            self._tell(trouble)
        self._not_before = max(self._not_before, now + trouble.retry_after)

    def unclear(self, attempt: Attempt) -> None:
        """The answer was about the request's form: it says nothing about the destination."""
        self._end(attempt)

    def doubtful(self, attempt: Attempt, stream: str, trouble: Trouble) -> None:
        """It refused a stream with words that are not Loki's: of several streams, and none stored, it is at fault."""
        self._doubted.add(stream)
        if self._trouble or len(self._doubted) >= DOUBTS:
            self.failed(attempt, Unavailable(trouble.cause, trouble.text, trouble.retry_after))
        else:
            self._end(attempt)

    def _end(self, attempt: Attempt) -> None:
        if attempt.probes:
            self._probing = False

    def _recover(self) -> None:
        if self._reports.over():
            log.info("Loki takes pushes again, after %.1f s", self._clock() - self._failing_since)
        self._epoch += 1
        self._ordinary = Attempt(self._epoch, probes=False)
        self._trouble, self._waits, self._not_before = None, None, 0.0

    def _tell(self, trouble: Trouble) -> None:
        if self._reports.due(trouble.cause):
            log.warning("Loki takes no pushes, nothing is lost, they are repeated until it does: %s", trouble)


class RequestSize:
    """The most bytes of lines and metadata in a request: smaller for a while after it was too much."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._reduced = most
        self._since = 0.0

    @property
    def limit(self) -> int:
        """The most bytes now."""
        if self._reduced < self._most:
            doublings = int((self._clock() - self._since) / REGROWTH)
            return min(self._most, self._reduced << min(doublings, 32))
        return self._most

    def reduce(self, size: int) -> None:
        """Larger requests than this were too large."""
        self._reduced = max(1, min(size, self.limit))
        self._since = self._clock()
