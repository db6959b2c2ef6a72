"""The end of an entry's way: stored, or refused for ever; each exactly once.

Counts what is pending, sent and dropped, and tells the owner of each part. Knows nothing of requests.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping

from shipper.log import Seldom, counted_entries
from shipper.metrics import Metrics
from shipper.sink.answers.limits import limit
from shipper.sink.answers.page import readable
from shipper.sink.batch import Batch
from shipper.sink.quarantine import Quarantine, RefusedEntry

log = logging.getLogger(__name__)


class Settlement:
    """Counts pending entries, and reports each as sent or dropped, once."""

    def __init__(self, metrics: Metrics, quarantine: Quarantine | None, clock: Callable[[], float]) -> None:
        self._metrics, self._quarantine, self._clock = metrics, quarantine, clock
        self._reports = Seldom(clock)
        self._moved_at = 0.0  # when something was settled last, or the first entry came
        self._drained = asyncio.Event()
        self._drained.set()
        self.pending = 0  # entries
        metrics.entries_pending.set_function(lambda: self.pending)  # asked for seldom, changed all the time

    def opened(self, entries: int) -> None:
        """So many entries are pending from now on."""
        if not self.pending:
            self._moved_at = self._clock()
            self._drained.clear()
        self.pending += entries

    def stored(self, batch: Batch) -> None:
        """Loki has all of it."""
        self._settle(batch, 0)
        for part in batch.parts:
            part.ticket.owner.settled(part, 0)

    def refused(self, batch: Batch, refused: Mapping[int, str], answer: str) -> None:
        """Loki will never take the entries at these places, for these reasons, and has the others."""
        kept = "dropped, see on_reject"
        if self._quarantine is not None:
            entries = list(batch.unpacked())
            kept = self._quarantine(
                [RefusedEntry(batch.labels, entries[at], why, answer) for at, why in sorted(refused.items())]
            )
        for reason, times in Counter(refused.values()).items():
            self._metrics.entries_dropped.labels(reason=reason).inc(times)
            if total := self._reports.due(reason, times=times):
                log.error("Loki refused %s for good (%s: %s); %s: %.300s", counted_entries(total), reason,
                          limit(reason), kept, readable(answer))  # fmt: skip
        self._settle(batch, len(refused))
        for part, dropped in batch.shares(refused):
            part.ticket.owner.settled(part, dropped)

    def _settle(self, batch: Batch, refused: int) -> None:
        total = len(batch)
        self._metrics.entries_sent.inc(total - refused)
        if batch.lacks:
            self._metrics.entries_reduced.labels(reason=batch.lacks).inc(total - refused)
        self.pending -= total
        self._moved_at = self._clock()
        if not self.pending:
            self._drained.set()

    @property
    def stuck_for(self) -> float:
        """Seconds in which nothing was settled though something is pending."""
        return self._clock() - self._moved_at if self.pending else 0.0

    async def drained(self) -> None:
        """Wait until nothing is pending."""
        await self._drained.wait()
