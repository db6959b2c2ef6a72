"""Into which parts a batch is divided that was too large for something: a limit, a rate, a gateway, its time."""

import logging
from collections.abc import Callable, Iterator

from shipper.log import Seldom
from shipper.sink.answers.status import STREAM_LIMIT, CutOff, PushError, TimedOut, Unavailable, named_rate
from shipper.sink.batch import Batch, Held
from shipper.sink.destination import Destination, RequestSize
from shipper.sink.pace import Pace
from shipper.sink.stream import Stream

log = logging.getLogger(__name__)

SMALLEST_BURST = 16 << 10  # bytes: any rate limit lets so many pass at once, later; and any gateway


class Division:
    """The parts hold the same entries in the same order."""

    def __init__(
        self,
        destination: Destination,
        size: RequestSize,
        new_waits: Callable[[], Iterator[float]],
        clock: Callable[[], float],
    ) -> None:
        self._destination, self._size, self._new_waits, self._clock = destination, size, new_waits, clock
        self._reports = Seldom(clock)

    def in_halves(self, batch: Batch) -> tuple[Batch, ...]:
        """For an answer that is not about all of it. A single entry stays what it is."""
        return self._alike(batch, *batch.halves()) if len(batch) > 1 else (batch,)

    def too_large(self, batch: Batch) -> tuple[Batch, ...]:
        """Halves; larger requests are not made for a while."""
        halves = self.in_halves(batch)
        self._size.reduce(max(half.size for half in halves))
        return halves

    def unanswered(self, batch: Batch, error: Unavailable) -> tuple[Batch, ...]:
        """Halves, if it got no answer more than once: a gateway may cut off what is too large, Loki may need longer."""
        if not isinstance(error, TimedOut | CutOff):
            return (batch,)
        batch.no_answers += 1
        if batch.no_answers == 1 or batch.size <= SMALLEST_BURST or len(batch) == 1:
            return (batch,)
        halves = self.in_halves(batch)
        for half in halves:
            half.no_answers, half.is_reduced = 1, True
        return halves

    def stored(self, stream: Stream, batch: Batch) -> None:
        """The batch is stored: if it was part of a request that got no answer, no larger ones are made for a while."""
        if batch.is_reduced:
            self._size.reduce(batch.size)
            stream.divide(batch.size * 5 // 4)  # halves are not exact

    def by_tenants_rate(self, batch: Batch) -> tuple[Batch, ...]:
        """What the tenant's rate lets pass, as far as it is known; else halves from the second time on."""
        if batch.size > (most := self._destination.pace.most) and len(batch) > 1:
            return self._alike(batch, *batch.pieces(most))
        return self.too_large(batch) if self._exceeds_burst(batch) else (batch,)

    def by_streams_rate(self, stream: Stream, batch: Batch, error: PushError) -> tuple[Batch, ...]:
        """What its stream's rate lets pass; likewise. All of it, if another limit of the stream was met."""
        if error.cause == STREAM_LIMIT:
            return (batch,)
        if rate := named_rate(error.text):
            stream.pace = stream.pace or Pace(self._clock)
            stream.pace.limit(rate)
            self._tell(stream, rate)
            if batch.size > stream.pace.most and len(batch) > 1:
                return self._alike(batch, *batch.pieces(stream.pace.most))
        return self.in_halves(batch) if self._exceeds_burst(batch) else (batch,)

    def some_limited(self, stream: Stream, batch: Batch, error: PushError) -> tuple[Batch, ...]:
        """Likewise, of a request of which a part was refused for its stream's rate."""
        parts = self.by_streams_rate(stream, batch, error)
        return parts if len(parts) > 1 else self.in_halves(batch)

    def new_held(self, *, is_bisected: bool) -> Held:
        """The state of a batch that is held from now on."""
        return Held(self._new_waits(), is_bisected)

    def _exceeds_burst(self, batch: Batch) -> bool:
        """Whether a rate limit refused it more than once: above the burst it is refused however long it waits."""
        batch.rate_limits += 1
        return batch.rate_limits > 1 and batch.size > SMALLEST_BURST and len(batch) > 1

    def _alike(self, batch: Batch, *parts: Batch) -> tuple[Batch, ...]:
        """The parts of a held batch are held too, each with waits of its own."""
        if batch.held is not None:
            for part in parts:
                part.held = self.new_held(is_bisected=batch.held.is_bisected)
        return parts

    def _tell(self, stream: Stream, rate: float) -> None:
        if self._reports.due("stream's rate"):
            log.warning(
                "Loki takes %.0f bytes a second of the stream %.200s: its pushes are made smaller and spread over "
                "time, nothing is lost; raise per_stream_rate_limit if its logs fall behind",
                rate,
                stream.labels,
            )
