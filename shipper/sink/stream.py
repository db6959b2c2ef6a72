"""One stream's work: what was refused and goes again, what waits, and what is under suspicion.

Decides which batch of the stream is next, and when; nothing of other streams, answers or settling.
"""

from collections import deque
from collections.abc import Iterator
from itertools import chain

from shipper.sink.batch import Batch, Suspicion
from shipper.sink.queue import Queue


class Stream:
    """Exists while it has entries that are not settled. Times are of the monotonic clock, in seconds."""

    def __init__(self, labels: str) -> None:
        self.labels = labels
        self.queue = Queue(labels)
        self.busy = False  # a request is under way
        self.ready_at = 0.0  # when what is queued may go
        self.not_before = 0.0  # the stream's own back-off
        self.waits: Iterator[float] | None = None  # of that back-off, while it lasts
        self._again: deque[Batch] = deque()  # batches to repeat, oldest first
        self._suspects: list[Batch] = []  # do not hold up the others
        self._suspect_went = False  # the last turn was a suspect's

    @property
    def pending(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._again or self.queue or self._suspects)

    @property
    def since(self) -> float:
        """When the oldest entry that could go now came."""
        if self._again:
            return self._again[0].since
        return self.queue.since if self.queue else min(batch.since for batch in self._suspects)

    @property
    def due(self) -> float:
        """When its next turn may be."""
        if not self._suspects:
            return self.not_before if self._again else max(self.not_before, self.ready_at)
        line = (0.0,) if self._again else (self.ready_at,) if self.queue else ()
        suspects = (batch.suspicion.due for batch in self._suspects if batch.suspicion)
        return max(self.not_before, min(chain(line, suspects)))

    def waits_for_company(self, now: float) -> bool:
        """Whether it could go, and only waits for more entries."""
        return self.ready_at > now >= self.not_before and not self.busy and bool(self.queue) and not self._again

    def next(self, now: float, limit: int, newest_sent: int | None, wall: int) -> Batch:
        """Take the batch whose turn it is.

        A suspect and the rest of the stream take turns: so the stream itself can show that the suspect alone
        is at fault.
        """
        line = bool(self._again or self.queue)
        suspect = None if line and self._suspect_went else self._due_suspect(now, forced=not line)
        self._suspect_went = suspect is not None
        if suspect is not None:
            self._suspects.remove(suspect)
            return suspect
        if self._again:
            return self._again.popleft()
        return self.queue.cut(limit, newest_sent, wall)

    def _due_suspect(self, now: float, *, forced: bool) -> Batch | None:
        first, earliest = None, now
        for batch in self._suspects:
            due = batch.suspicion.due if batch.suspicion else 0.0
            if due <= earliest and (first is None or due < earliest):
                first, earliest = batch, due
        return self._suspects[0] if first is None and forced else first

    def give_back(self, *batches: Batch) -> None:
        """Batches that must go again, in their order, before all others."""
        for batch in reversed(batches):
            if batch.suspicion is None:
                self._again.appendleft(batch)
            else:
                self._suspects.insert(0, batch)

    def suspect(self, *batches: tuple[Batch, Suspicion]) -> None:
        """Batches that wait beside the stream from now on."""
        for batch, suspicion in batches:
            batch.suspicion = suspicion
            self._suspects.append(batch)

    def back_off(self, now: float, waits: Iterator[float], at_least: float = 0.0) -> None:
        """Wait; longer with each time in a row. `waits` begins the row."""
        self.waits = self.waits or waits
        self.not_before = now + max(next(self.waits), at_least)
        self.queue.pack()

    def went_well(self) -> None:
        """An answer came that ends its back-off."""
        self.waits, self.not_before = None, 0.0
