"""What an answer means for the batch that was pushed: settled, again, later, smaller, or under suspicion.

The one place where the rules of delivery stand together. Sends nothing, and waits for nothing.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator

from shipper.backoff import waits
from shipper.config import BackoffConfig
from shipper.log import Seldom
from shipper.metrics import Metrics
from shipper.sink.answers.refusal import NoVerdict, read
from shipper.sink.answers.status import (
    STREAM_RATE,
    Refused,
    StreamLimited,
    TenantLimited,
    TooLarge,
    Trouble,
    Unavailable,
)
from shipper.sink.batch import Batch, Suspicion
from shipper.sink.destination import Attempt, Destination, RequestSize
from shipper.sink.settlement import Settlement
from shipper.sink.stream import Stream

log = logging.getLogger(__name__)

PATIENCE = 180.0  # seconds a batch may be refused with unknown words before it is bisected
SMALLEST_FOR_RATE = 16 << 10  # bytes: no burst is smaller, so a refusal is about time then
REMEMBERED_STREAMS = 10_000  # whose newest time is kept


class Newest:
    """The time of the newest entry that Loki has of a stream, in nanoseconds; of the streams sent last."""

    def __init__(self, most: int = REMEMBERED_STREAMS) -> None:
        self._most = most
        self._nanos: OrderedDict[str, int] = OrderedDict()

    def of(self, labels: str) -> int | None:
        """None: not known."""
        return self._nanos.get(labels)

    def sent(self, labels: str, nanos: int) -> None:
        """Loki has an entry of this time."""
        self._nanos[labels] = max(nanos, self._nanos.pop(labels, nanos))
        if len(self._nanos) > self._most:
            self._nanos.popitem(last=False)


class Outcome:
    """Applies answers to batches, their streams and the destination."""

    def __init__(
        self,
        config: BackoffConfig,
        metrics: Metrics,
        settlement: Settlement,
        destination: Destination,
        size: RequestSize,
        clock: Callable[[], float],
        patience: float = PATIENCE,
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._settlement = settlement
        self._destination = destination
        self._size = size
        self._clock = clock
        self._patience = patience
        self._reports = Seldom(clock)
        self.newest = Newest()
        self.held: tuple[float, str] = (0.0, "")  # the last refusal nobody understood: when, what

    def apply(self, stream: Stream, batch: Batch, trouble: Trouble | None, attempt: Attempt) -> None:
        """Settle the batch, or give it back to its stream."""
        match trouble:
            case None:
                self._stored(stream, batch, {}, attempt)
                self._settlement.stored(batch)
            case Unavailable():
                self._unavailable(stream, batch, trouble, attempt)
            case StreamLimited():
                is_rate = trouble.cause == STREAM_RATE and self._exceeds_burst(batch)
                batches = self._alike(batch, batch.halves()) if is_rate else (batch,)
                self._limited(stream, batches, trouble, attempt)
            case TooLarge():
                self._too_large(stream, batch, trouble, attempt)
            case _:
                self._refused(stream, batch, trouble, attempt)

    def _stored(self, stream: Stream, batch: Batch, refused: dict[int, str], attempt: Attempt) -> None:
        """All but the refused entries are in Loki."""
        stored = [batch.newest]
        if refused:
            stored = [nanos for at, nanos in enumerate(batch.unpacked().times) if at not in refused]
        if stored:
            self.newest.sent(batch.labels, max(stored))
        self._destination.works(attempt, stored=bool(stored))
        stream.went_well()

    def _unavailable(self, stream: Stream, batch: Batch, trouble: Unavailable, attempt: Attempt) -> None:
        self._repeats(trouble.cause)
        self._destination.failed(attempt, trouble)
        if isinstance(trouble, TenantLimited) and self._exceeds_burst(batch):
            stream.give_back(*self._smaller(batch))
            return
        stream.give_back(batch)

    def _exceeds_burst(self, batch: Batch) -> bool:
        """Whether a rate refused it more than once: above the burst it is refused for ever, however long it waits."""
        batch.rate_limits += 1
        return batch.rate_limits > 1 and batch.size > SMALLEST_FOR_RATE and len(batch) > 1

    def _limited(self, stream: Stream, batches: tuple[Batch, ...], trouble: Trouble, attempt: Attempt) -> None:
        self._repeats(STREAM_RATE if isinstance(trouble, Refused) else trouble.cause)
        self._destination.works(attempt, stored=False)
        stream.back_off(self._clock(), self._waits(), trouble.retry_after)
        stream.give_back(*batches)

    def _too_large(self, stream: Stream, batch: Batch, trouble: Trouble, attempt: Attempt) -> None:
        self._destination.unclear(attempt)
        if len(batch) > 1:
            self._repeats("too_large")
            stream.give_back(*self._smaller(batch))
        else:
            self._settlement.refused(batch, {0: "request_too_large"}, str(trouble))

    def _smaller(self, batch: Batch) -> tuple[Batch, Batch]:
        halves = batch.halves()
        self._size.reduce(max(half.size for half in halves))
        return self._alike(batch, halves)

    def _alike(self, batch: Batch, halves: tuple[Batch, Batch]) -> tuple[Batch, Batch]:
        """A suspect's halves stay beside the stream, each with a suspicion of its own."""
        if batch.suspicion is not None:
            for half in halves:
                half.suspicion = self._suspicion(bisected=batch.suspicion.bisected)
        return halves

    def _refused(self, stream: Stream, batch: Batch, trouble: Trouble, attempt: Attempt) -> None:
        verdict = read(trouble.text, list(batch.unpacked()))
        if isinstance(verdict, dict):
            self._stored(stream, batch, verdict, attempt)
            self._settlement.refused(batch, verdict, trouble.text)
        elif verdict is NoVerdict.UNKNOWN:
            self._suspect(stream, batch, trouble, attempt)
        elif verdict is NoVerdict.LIMITED:
            halves = self._alike(batch, batch.halves()) if len(batch) > 1 else (batch,)
            self._limited(stream, halves, trouble, attempt)
        else:
            self._repeats("ambiguous")
            self._destination.works(attempt, stored=False)
            stream.give_back(*self._alike(batch, batch.halves()))  # copies of what is stored are not seen

    def _suspect(self, stream: Stream, batch: Batch, trouble: Trouble, attempt: Attempt) -> None:
        """Words that are not Loki's: perhaps about the request, perhaps about its lines. It waits and goes again."""
        now = self._clock()
        self._destination.doubtful(attempt, batch.labels, trouble)
        suspicion = batch.suspicion or self._suspicion(bisected=False)
        suspicion.refused_first = min(now, suspicion.refused_first)
        if len(batch) == 1 and self._guilty(suspicion, now):
            stream.went_well()
            self._settlement.refused(batch, {0: "refused"}, str(trouble))
            return
        self._tell(batch, trouble, now)
        stream.back_off(now, self._waits(), trouble.retry_after)
        if len(batch) > 1 and (suspicion.bisected or self._guilty(suspicion, now)):
            stream.suspect(*((half, self._suspicion(bisected=True)) for half in batch.halves()))
        else:
            suspicion.due = now + max(next(suspicion.waits), trouble.retry_after)
            stream.suspect((batch, suspicion))

    def _guilty(self, suspicion: Suspicion, now: float) -> bool:
        """Refused for long enough, while the destination took something else."""
        long_enough = suspicion.bisected or now - suspicion.refused_first >= self._patience
        return long_enough and self._destination.last_success > suspicion.refused_first

    def _tell(self, batch: Batch, trouble: Trouble, now: float) -> None:
        self._repeats(trouble.cause)
        self.held = now, str(trouble)
        if self._reports.due(trouble.cause):
            log.warning(
                "A push was refused with words that are not Loki's; %d entries of %.200s are held and sent again: "
                "is the URL right, and what stands before Loki? %s",
                len(batch),
                batch.labels,
                trouble,
            )

    def _suspicion(self, *, bisected: bool) -> Suspicion:
        return Suspicion(self._waits(), bisected)

    def _repeats(self, cause: str) -> None:
        self._metrics.retries.labels(cause=cause).inc()

    def _waits(self) -> Iterator[float]:
        return waits(self._config.min_period, self._config.max_period)
