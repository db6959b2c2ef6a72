"""What an answer means for the batch that was pushed: it is settled, goes again, later, in parts, or is held.

The one place where the rules of delivery stand together. Sends nothing, and waits for nothing.
"""

import logging
from collections.abc import Callable

from shipper.log import Seldom, counted_entries
from shipper.metrics import Metrics
from shipper.sink.additions import ADDED, Additions
from shipper.sink.answers.refusal import NoVerdict, read
from shipper.sink.answers.rules import Refusals
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
from shipper.sink.destination import Attempt, Destination
from shipper.sink.division import Division
from shipper.sink.fault import Fault
from shipper.sink.newest import Newest
from shipper.sink.schedule import Schedule
from shipper.sink.settlement import Settlement
from shipper.sink.stream import Stream

log = logging.getLogger(__name__)

HOLD_FOR = 180.0  # seconds a batch may get unknown 400s before it is bisected
RATE_LIMITS_OF_ONE = 3  # as often the tenant's rate refused a batch that is not divided further


class Outcome:
    """Applies answers to batches, their streams and the destination."""

    def __init__(
        self,
        metrics: Metrics,
        settlement: Settlement,
        schedule: Schedule,
        destination: Destination,
        division: Division,
        fault: Fault,
        newest: Newest,
        hold_for: float,
        clock: Callable[[], float],
    ) -> None:
        self._metrics = metrics
        self._settlement = settlement
        self._schedule = schedule
        self._destination = destination
        self._hold_for = hold_for
        self._clock = clock
        self._reports = Seldom(clock)
        self._newest = newest
        self._division = division
        self._fault = fault
        self.additions = Additions(clock)

    def apply(self, stream: Stream, batch: Batch, error: PushError | None, attempt: Attempt) -> None:
        """Settle the batch, or give it back to its stream."""
        match error:
            case None:
                self._stored(stream, batch, {}, attempt)
                self._division.stored(stream, batch)
                self._settlement.stored(batch)
            case Unavailable():
                self._unavailable(stream, batch, error, attempt)
            case StreamLimited():
                self._limited(stream, self._division.by_streams_rate(stream, batch, error), error, attempt)
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
            self._newest.sent(batch.labels, max(stored))
        self._works(stream, attempt, stored=bool(stored))
        self._schedule.end_back_off(stream)

    def _works(self, stream: Stream, attempt: Attempt, *, stored: bool) -> None:
        """It answered the stream's push as Loki does."""
        self._fault.answered(stream)
        self._destination.works(attempt, stored=stored)

    def _unavailable(self, stream: Stream, batch: Batch, error: Unavailable, attempt: Attempt) -> None:
        self._count_retry(error.cause)
        if isinstance(error, TenantLimited):  # others may pass only because they are smaller
            self._fault.failed(stream, error, attempt, may_be_alone=batch.rate_limits >= RATE_LIMITS_OF_ONE)
            stream.give_back(*self._division.by_tenants_rate(batch))
            return
        self._fault.failed(stream, error, attempt)
        stream.give_back(*self._division.unanswered(batch, error))

    def _limited(self, stream: Stream, batches: tuple[Batch, ...], error: PushError, attempt: Attempt) -> None:
        self._count_retry(STREAM_RATE if isinstance(error, BadRequest) else error.cause)
        self._works(stream, attempt, stored=False)
        wait = stream.pace.opens_at - self._clock() if stream.pace else 0.0
        self._schedule.back_off(stream, max(error.retry_after, wait))
        stream.give_back(*batches)

    def _too_large(self, stream: Stream, batch: Batch, error: PushError, attempt: Attempt) -> None:
        self._destination.ended(attempt)
        if len(batch) > 1:
            self._count_retry("too_large")
            stream.give_back(*self._division.too_large(batch))
        else:
            self._settlement.refused(batch, {0: "request_too_large"}, str(error))

    def _refused(self, stream: Stream, batch: Batch, error: PushError, attempt: Attempt) -> None:
        verdict = read(error.text, list(batch.unpacked()))
        if isinstance(verdict, dict):
            self._stored(stream, batch, verdict, attempt)
            if not ADDED.isdisjoint(verdict.values()):
                batch, verdict = self._without_additions(stream, batch, verdict, error)
            if batch.parts:
                self._settlement.refused(batch, verdict, error.text)
        elif verdict is NoVerdict.UNKNOWN:
            self._hold(stream, batch, error, attempt)
        elif verdict is NoVerdict.LIMITED:
            self._limited(stream, self._division.some_limited(stream, batch, error), error, attempt)
        else:
            self._count_retry("ambiguous")
            self._works(stream, attempt, stored=False)
            stream.give_back(*self._division.in_halves(batch))  # Loki shows a copy of what it has once

    def _without_additions(
        self, stream: Stream, batch: Batch, verdict: Refusals, error: PushError
    ) -> tuple[Batch, Refusals]:
        """Entries that are refused only for what the agent added go again without it. The rest, and its verdict."""
        again = {place: reason for place, reason in verdict.items() if reason in ADDED}
        rest, refused = batch.split(again)
        all_refused = len(again) == len(batch)
        reduced = self.additions.reduced(stream.labels, refused, again.values(), error.text, all_refused=all_refused)
        if reduced is None:
            return batch, verdict
        self._count_retry("without_additions")
        stream.queue.labels, stream.queue.lacks = self.additions.labels(stream.labels)
        reduced.held = batch.held
        stream.give_back(reduced)
        kept = [place for place in range(len(batch)) if place not in again]
        return rest, {at: verdict[place] for at, place in enumerate(kept) if place in verdict}

    def _hold(self, stream: Stream, batch: Batch, error: PushError, attempt: Attempt) -> None:
        """An unknown 400, perhaps about the request, perhaps about its lines: the batch waits and goes again."""
        now = self._clock()
        self._destination.got_unknown_400(attempt, batch.labels, error)
        held = batch.held or self._division.new_held(is_bisected=False)
        held.since = min(now, held.since)
        if len(batch) == 1 and self._is_at_fault(held, now):
            self._schedule.end_back_off(stream)
            self._settlement.refused(batch, {0: "refused"}, str(error))
            return
        self._tell(batch, error, now)
        self._schedule.back_off(stream, error.retry_after)
        if len(batch) > 1 and (held.is_bisected or self._is_at_fault(held, now)):
            stream.hold(*((half, self._division.new_held(is_bisected=True)) for half in batch.halves()))
        else:
            held.until = now + max(next(held.waits), error.retry_after)
            stream.hold((batch, held))

    def _is_at_fault(self, held: Held, now: float) -> bool:
        """Whether it was held for long enough, while the destination stored something else."""
        long_enough = held.is_bisected or now - held.since >= self._hold_for
        return long_enough and self._destination.last_success > held.since

    def _tell(self, batch: Batch, error: PushError, now: float) -> None:
        self._count_retry(error.cause)
        self._fault.last = now, str(error)
        if self._reports.due(error.cause):
            log.warning("a push was refused with an error that is not Loki's; %s of %.200s, held and sent again; check "
                        "the URL, and any proxy in front of Loki: %s",
                        counted_entries(len(batch)), batch.labels, error)  # fmt: skip

    def _count_retry(self, cause: str) -> None:
        self._metrics.retries.labels(cause=cause).inc()
