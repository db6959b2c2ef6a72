"""What an answer means for the batch that was pushed: it is settled, goes again, later, in parts, or is held.

The one place where the rules of delivery stand together. Sends nothing, and waits for nothing.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator

from shipper.log import Seldom, counted_entries
from shipper.metrics import Metrics
from shipper.sink.answers.refusal import NoVerdict, read
from shipper.sink.answers.status import (
    STREAM_RATE,
    BadRequest,
    PushError,
    StreamLimited,
    TenantLimited,
    TooLarge,
    Unavailable,
)
from shipper.sink.batch import Batch, Held
from shipper.sink.destination import Attempt, Destination, RequestSize
from shipper.sink.schedule import Schedule
from shipper.sink.settlement import Settlement
from shipper.sink.stream import Stream

log = logging.getLogger(__name__)

HOLD_FOR = 180.0  # seconds a batch may get unknown 400s before it is bisected
SMALLEST_BURST = 16 << 10  # bytes: any rate limit lets so many pass at once, later
REMEMBERED_STREAMS = 10_000


class Newest:
    """The time of the newest entry that Loki has of each stream, in nanoseconds, for the streams sent last."""

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
        metrics: Metrics,
        settlement: Settlement,
        schedule: Schedule,
        destination: Destination,
        size: RequestSize,
        new_waits: Callable[[], Iterator[float]],
        hold_for: float,
        clock: Callable[[], float],
    ) -> None:
        self._metrics, self._settlement, self._schedule = metrics, settlement, schedule
        self._destination, self._size = destination, size
        self._new_waits, self._hold_for, self._clock = new_waits, hold_for, clock
        self._reports = Seldom(clock)
        self.newest = Newest()
        self.last_unknown: tuple[float, str] = (0.0, "")  # 400: when, its text

    def apply(self, stream: Stream, batch: Batch, error: PushError | None, attempt: Attempt) -> None:
        """Settle the batch, or give it back to its stream."""
        match error:
            case None:
                self._stored(stream, batch, {}, attempt)
                self._settlement.stored(batch)
            case Unavailable():
                self._unavailable(stream, batch, error, attempt)
            case StreamLimited():
                is_rate = error.cause == STREAM_RATE and self._exceeds_burst(batch)
                batches = self._alike(batch, batch.halves()) if is_rate else (batch,)
                self._limited(stream, batches, error, attempt)
            case TooLarge():
                self._too_large(stream, batch, error, attempt)
            case _:
                self._refused(stream, batch, error, attempt)

    def _stored(self, stream: Stream, batch: Batch, refused: dict[int, str], attempt: Attempt) -> None:
        """All but the refused entries are stored."""
        stored = [batch.newest]
        if refused:
            stored = [nanos for at, nanos in enumerate(batch.unpacked().times) if at not in refused]
        if stored:
            self.newest.sent(batch.labels, max(stored))
        self._destination.works(attempt, stored=bool(stored))
        self._schedule.end_back_off(stream)

    def _unavailable(self, stream: Stream, batch: Batch, error: Unavailable, attempt: Attempt) -> None:
        self._count_retry(error.cause)
        self._destination.failed(attempt, error)
        is_too_much = isinstance(error, TenantLimited) and self._exceeds_burst(batch)
        stream.give_back(*(self._smaller(batch) if is_too_much else (batch,)))

    def _exceeds_burst(self, batch: Batch) -> bool:
        """Whether a rate limit refused it more than once: above the burst it is refused however long it waits."""
        batch.rate_limits += 1
        return batch.rate_limits > 1 and batch.size > SMALLEST_BURST and len(batch) > 1

    def _limited(self, stream: Stream, batches: tuple[Batch, ...], error: PushError, attempt: Attempt) -> None:
        self._count_retry(STREAM_RATE if isinstance(error, BadRequest) else error.cause)
        self._destination.works(attempt, stored=False)
        self._schedule.back_off(stream, error.retry_after)
        stream.give_back(*batches)

    def _too_large(self, stream: Stream, batch: Batch, error: PushError, attempt: Attempt) -> None:
        self._destination.ended(attempt)
        if len(batch) > 1:
            self._count_retry("too_large")
            stream.give_back(*self._smaller(batch))
        else:
            self._settlement.refused(batch, {0: "request_too_large"}, str(error))

    def _smaller(self, batch: Batch) -> tuple[Batch, Batch]:
        halves = batch.halves()
        self._size.reduce(max(half.size for half in halves))
        return self._alike(batch, halves)

    def _alike(self, batch: Batch, halves: tuple[Batch, Batch]) -> tuple[Batch, Batch]:
        """The halves of a held batch are held too, each with waits of its own."""
        if batch.held is not None:
            for half in halves:
                half.held = Held(self._new_waits(), is_bisected=batch.held.is_bisected)
        return halves

    def _refused(self, stream: Stream, batch: Batch, error: PushError, attempt: Attempt) -> None:
        verdict = read(error.text, list(batch.unpacked()))
        if isinstance(verdict, dict):
            self._stored(stream, batch, verdict, attempt)
            self._settlement.refused(batch, verdict, error.text)
        elif verdict is NoVerdict.UNKNOWN:
            self._hold(stream, batch, error, attempt)
        elif verdict is NoVerdict.LIMITED:
            halves = self._alike(batch, batch.halves()) if len(batch) > 1 else (batch,)
            self._limited(stream, halves, error, attempt)
        else:
            self._count_retry("ambiguous")
            self._destination.works(attempt, stored=False)
            stream.give_back(*self._alike(batch, batch.halves()))  # Loki shows a copy of what it has once

    def _hold(self, stream: Stream, batch: Batch, error: PushError, attempt: Attempt) -> None:
        """An unknown 400, perhaps about the request, perhaps about its lines: the batch waits and goes again."""
        now = self._clock()
        self._destination.got_unknown_400(attempt, batch.labels, error)
        held = batch.held or Held(self._new_waits(), is_bisected=False)
        held.since = min(now, held.since)
        if len(batch) == 1 and self._is_at_fault(held, now):
            self._schedule.end_back_off(stream)
            self._settlement.refused(batch, {0: "refused"}, str(error))
            return
        self._tell(batch, error, now)
        self._schedule.back_off(stream, error.retry_after)
        if len(batch) > 1 and (held.is_bisected or self._is_at_fault(held, now)):
            stream.hold(*((half, Held(self._new_waits(), is_bisected=True)) for half in batch.halves()))
        else:
            held.until = now + max(next(held.waits), error.retry_after)
            stream.hold((batch, held))

    def _is_at_fault(self, held: Held, now: float) -> bool:
        """Whether it was held for long enough, while the destination stored something else."""
        long_enough = held.is_bisected or now - held.since >= self._hold_for
        return long_enough and self._destination.last_success > held.since

    def _tell(self, batch: Batch, error: PushError, now: float) -> None:
        self._count_retry(error.cause)
        self.last_unknown = now, str(error)
        if self._reports.due(error.cause):
            log.warning("a push was refused with an error that is not Loki's; %s of %.200s, held and sent again; check "
                        "the URL, and any proxy in front of Loki: %s",
                        counted_entries(len(batch)), batch.labels, error)  # fmt: skip

    def _count_retry(self, cause: str) -> None:
        self._metrics.retries.labels(cause=cause).inc()
