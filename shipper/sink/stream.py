"""One stream's work: batches that go again, entries that are queued, and batches that are held.

Decides which batch of the stream is next; when it goes is for the schedule.
"""

from collections import deque
from collections.abc import Iterator
from math import inf

from shipper.sink.answers.status import PushError
from shipper.sink.batch import Batch, Held
from shipper.sink.pace import Pace
from shipper.sink.queue import Queue


class Stream:
    """Exists while it has entries that are not settled."""

    def __init__(self, labels: str, queue: Queue | None = None) -> None:
        """`queue`: an empty one, where batches are sent with other labels than the stream's own."""
        self.labels = labels
        self.queue = queue if queue is not None else Queue(labels)
        self._again: deque[Batch] = deque()  # oldest first
        self._held: list[Batch] = []  # after an unknown 400; the others need not wait for them
        self._held_went = False  # the last batch was a held one
        # When it pushes: set by the schedule alone, in seconds of the monotonic clock.
        self.busy = False  # a request is under way
        self.ready_at = 0.0  # when what is queued has lingered enough
        self.not_before = 0.0  # the stream's own back-off
        self.waits: Iterator[float] | None = None  # of that back-off, while it lasts
        self.is_retry = False  # the request under way follows one that failed
        # Pushes that failed as though Loki were away: set by the outcome alone.
        self.failures = 0  # in a row
        self.answer_took = 0.0  # seconds, while its answers are slow
        self.failed_at = 0.0  # when the last one did
        self.fault: PushError | None = None  # why it fails alone: others were stored between two of its failures
        self.pace: Pace | None = None  # after a 429 that named its rate

    @property
    def has_entries(self) -> bool:
        """Whether anything is left to send."""
        return bool(self._again or self.queue or self._held)

    @property
    def repeats(self) -> bool:
        """Whether a batch goes again before what is queued."""
        return bool(self._again)

    @property
    def held_until(self) -> float:
        """When the first of the held batches may be tried again; infinite: none is held."""
        return min([_until(batch) for batch in self._held]) if self._held else inf

    @property
    def since(self) -> float:
        """When the oldest entry that could go now was put."""
        if self._again:
            return self._again[0].since
        return self.queue.since if self.queue else min(batch.since for batch in self._held)

    def next_size(self, limit: int) -> int:
        """About the bytes of the batch that goes next."""
        return self._again[0].size if self._again else min(self.queue.size, limit)

    def next(self, now: float, limit: int, newest_sent: int | None, wall: int) -> Batch:
        """Take the batch that goes now.

        A held batch and the rest of the stream alternate: so the stream itself can show that the held batch alone is
        refused.
        """
        others = bool(self._again or self.queue)
        held = None if others and self._held_went else self._next_held(now, at_any_time=not others)
        self._held_went = held is not None
        if held is not None:
            self._held.remove(held)
            return held
        if self._again:
            return self._again.popleft()
        return self.queue.cut(limit, newest_sent, wall)

    def _next_held(self, now: float, *, at_any_time: bool) -> Batch | None:
        first = min(self._held, key=_until, default=None)
        return first if first is not None and (at_any_time or _until(first) <= now) else None

    def give_back(self, *batches: Batch) -> None:
        """Batches that must go again, in their order, before all others."""
        for batch in reversed(batches):
            if batch.held is None:
                self._again.appendleft(batch)
            else:
                self._held.insert(0, batch)

    def divide(self, most: int) -> None:
        """Of the batches that go again, make those that were never sent smaller: at most so many bytes."""
        self._again = deque(piece for batch in self._again for piece in ([batch] if batch.body else batch.pieces(most)))

    def hold(self, *batches: tuple[Batch, Held]) -> None:
        """Batches that wait beside the stream from now on."""
        for batch, held in batches:
            batch.held = held
            self._held.append(batch)


def _until(batch: Batch) -> float:
    return batch.held.until if batch.held else 0.0
