"""Whether Loki as a whole accepts pushes, how large they may be and how fast they may come.

While it accepts none, one request at a time probes, with growing waits between. Streams that fail alone, while others
are stored, do not close it; they have a gate of their own. Knows nothing of answers about a single stream, and sends
nothing.
"""

import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from shipper.log import Seldom
from shipper.sink.answers.status import PushError, TenantLimited, Unavailable, named_rate
from shipper.sink.pace import Pace
from shipper.sink.patience import Patience

log = logging.getLogger(__name__)

UNKNOWN_400_STREAMS = 3  # as many streams get an unknown 400 and nothing is stored: it is not about their lines
DOUBLING_TIME = 60.0  # seconds until requests may be twice as large again


@dataclass(frozen=True, slots=True)
class Attempt:
    """A push that has begun."""

    epoch: int  # the destination's, when the push began: it counts failures and recoveries
    probes: bool


class Destination:
    """Times are of the monotonic clock, in seconds."""

    def __init__(
        self, new_waits: Callable[[], Iterator[float]], clock: Callable[[], float], timeout: float = 10.0
    ) -> None:
        """`new_waits` makes the waits of a failure, one by one. `timeout`: how long an answer may take, in seconds."""
        self._new_waits, self._clock = new_waits, clock
        self._epoch = 0
        self._ordinary = Attempt(0, probes=False)  # of this epoch
        self._error: PushError | None = None
        self._failing_since = 0.0
        self._probing = False
        self._not_before = 0.0
        self._waits: Iterator[float] | None = None
        self._got_unknown_400: set[str] = set()  # streams, since something was stored
        self._reports = Seldom(clock)
        self._failed_alone_at = -math.inf
        self._waits_alone: Iterator[float] | None = None
        self._opens_alone_at = 0.0
        self.last_success = -math.inf
        self.last_proof = -math.inf  # when a push was stored that had begun after the last failure was known
        self.pace = Pace(clock)  # of the tenant
        self.patience = Patience(timeout, self._reports)

    @property
    def failing(self) -> str:
        """Why it does not accept pushes; empty while it does."""
        return str(self._error) if self._error else ""

    @property
    def failing_for(self) -> float:
        """Seconds since it accepts none; 0 while it does."""
        return self._clock() - self._failing_since if self._error else 0.0

    @property
    def is_failing(self) -> bool:
        """Whether the next push is a probe."""
        return self._error is not None

    @property
    def opens_at(self) -> float:
        """When the next push may begin; infinite while a probe is under way."""
        return math.inf if self._probing else max(self._not_before, self.pace.opens_at)

    @property
    def opens_alone_at(self) -> float:
        """When the next push may begin of a stream whose last one failed."""
        return self._opens_alone_at if self._failed_alone_at > self.last_success else 0.0

    def begin(self) -> Attempt:
        """A push begins; its end must be reported by one of the methods below."""
        if self._error is None:
            return self._ordinary
        self._probing = True
        return Attempt(self._epoch, probes=True)

    def works(self, attempt: Attempt, *, stored: bool) -> None:
        """It answered as Loki does, even if it refused entries or made a stream wait."""
        self.ended(attempt)
        if stored:
            self.last_success = self._clock()
            if attempt.epoch == self._epoch:
                self.last_proof = self.last_success
            self._got_unknown_400.clear()
        if self._error and attempt.epoch == self._epoch:
            self._recover()

    def failed(self, attempt: Attempt, error: PushError) -> None:
        """It accepts nothing. Pushes that began before this was known count as one failure."""
        self.ended(attempt)
        now = self._clock()
        if attempt.epoch == self._epoch:
            if not self._error:
                self._failing_since = now
            self._epoch += 1
            self._waits = self._waits or self._new_waits()
            self._not_before = max(self._not_before, now + next(self._waits))
            self._error = error
            self._learn(error)
            self._tell(error)
        self._not_before = max(self._not_before, now + error.retry_after)

    def failed_alone(self, attempt: Attempt) -> None:
        """A push failed of a stream that alone is at fault. Its like wait longer only while nothing else is stored."""
        self.ended(attempt)
        now = self._clock()
        if self._failed_alone_at > self.last_success:
            self._waits_alone = self._waits_alone or self._new_waits()
            self._opens_alone_at = now + next(self._waits_alone)
        else:
            self._waits_alone, self._opens_alone_at = None, 0.0
        self._failed_alone_at = now

    def got_unknown_400(self, attempt: Attempt, stream: str, error: PushError) -> None:
        """An unknown 400. If three streams get one and nothing is stored, the destination counts as failing."""
        self._got_unknown_400.add(stream)
        if self._error or len(self._got_unknown_400) >= UNKNOWN_400_STREAMS:
            self.failed(attempt, Unavailable(error.cause, error.text, error.retry_after))
        else:
            self.ended(attempt)

    def ended(self, attempt: Attempt) -> None:
        """A push has ended without a word about the destination, as one that was too large."""
        if attempt.probes:
            self._probing = False

    def _recover(self) -> None:
        if self._reports.over():
            log.info("Loki accepts pushes again after %.1f s", self.failing_for)
        self._epoch += 1
        self._ordinary = Attempt(self._epoch, probes=False)
        self._error, self._waits, self._not_before = None, None, 0.0

    def _learn(self, error: PushError) -> None:
        if isinstance(error, TenantLimited) and (rate := named_rate(error.text)):
            self.pace.limit(rate)
            if self._reports.due("pace"):
                log.warning(
                    "Loki takes %.0f bytes a second of this tenant, from all who push: pushes are made smaller and "
                    "spread over time, nothing is lost; raise ingestion_rate_mb if the logs fall behind",
                    rate,
                )

    def _tell(self, error: PushError) -> None:
        if self._reports.due(error.cause):
            log.warning("Loki is not accepting pushes; nothing is lost, retrying: %s", error)


class RequestSize:
    """The most bytes of lines and metadata in a request: fewer for a while after a request was too large."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._reduced, self._since = most, 0.0

    @property
    def limit(self) -> int:
        """The most bytes now."""
        if self._reduced < self._most:
            doublings = int((self._clock() - self._since) / DOUBLING_TIME)
            return min(self._most, self._reduced << min(doublings, 32))
        return self._most

    def reduce(self, size: int) -> None:
        """Larger requests than this were too large."""
        self._reduced = max(1, min(size, self.limit))
        self._since = self._clock()
