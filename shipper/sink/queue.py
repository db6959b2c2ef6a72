"""The queue of one stream's entries, and how batches are cut from it.

Knows the limits a stream's entries have in Loki; nothing of requests or answers.
"""

from collections import deque
from dataclasses import dataclass
from math import inf

from shipper.entries import Entries
from shipper.model import Columns, Entry
from shipper.sink.batch import Batch
from shipper.times import SECOND

HARD_LIMIT = 3 << 20  # bytes of a request: Loki passes messages of up to 4 MiB

# Loki's default limits. An entry outside them is sent alone: so a refusal is about that entry and no other.
OLDEST = 7 * 86_400 * SECOND
AHEAD = 600 * SECOND
LONGEST = 256 << 10  # bytes of a line
WINDOW = 3600 * SECOND  # how far an entry may lie behind the newest of its stream


@dataclass(slots=True, eq=False)
class QueuedEntries:
    """Entries as they were put; unpacked once only some of them went into a batch."""

    entries: Entries
    since: float
    unpacked: Columns | None = None
    sent: int = 0  # how many of them went into batches


class Queue:
    """Entries in the order they came."""

    def __init__(self, labels: str, lacks: str = "") -> None:
        self.labels = labels  # those that batches are sent with
        self.lacks = lacks  # see Batch
        self._queued: deque[QueuedEntries] = deque()
        self.size = 0  # bytes of lines and metadata

    def __bool__(self) -> bool:
        return bool(self._queued)

    @property
    def since(self) -> float:
        """When the oldest came."""
        return self._queued[0].since

    def put(self, entries: Entries, now: float) -> None:
        """Add entries, at least one, at the end."""
        self._queued.append(QueuedEntries(entries, now))
        self.size += entries.size

    def pack(self) -> None:
        """Drop the unpacked copy of the first entries, which no budget counts: nothing is cut for a while."""
        if self._queued:
            self._queued[0].unpacked = None

    def cut(self, limit: int, newest_sent: int | None, now: int) -> Batch:
        """The next batch: as many entries as go into `limit` bytes, at least one.

        `newest_sent` is the time of the newest entry that Loki has of this stream, `now` the wall clock; both
        in nanoseconds. A batch spans an hour at most: sent twice (its answer was lost), its first entries must
        not be too far behind its last.
        """
        cut = _Cut(min(limit, HARD_LIMIT), newest_sent, now)
        since = self.since
        while self._queued and not cut.is_full:
            first = self._queued[0]
            if first.unpacked is None and cut.takes_whole(first.entries):
                self._queued.popleft()
            elif cut.is_worth_it:  # a smaller request costs less than to unpack entries
                break
            elif cut.takes_some(first):
                self._queued.popleft()
        self.size -= cut.size
        return Batch(self.labels, cut.parts, since, cut.size, lacks=self.lacks)


class _Cut:
    """One batch while it is being cut."""

    def __init__(self, limit: int, newest_sent: int | None, now: int) -> None:
        self.parts: list[Entries] = []
        self.size = 0
        self.is_full = False
        self._limit = limit
        self._earliest, self._latest = now - OLDEST, now + AHEAD
        self._seen = -inf if newest_sent is None else newest_sent  # newest time so far: Loki's, and of this batch
        self._first, self._last = inf, -inf  # oldest and newest time of this batch

    @property
    def is_worth_it(self) -> bool:
        """Whether it may go as it is, though not full."""
        return self.size >= self._limit / 2

    def takes_whole(self, entries: Entries) -> bool:
        """Take all of these, if all fit and none is outside the default limits."""
        fits = (
            entries.longest <= LONGEST
            and entries.oldest >= self._earliest
            and entries.newest <= self._latest
            and entries.oldest >= max(self._seen, entries.newest) - WINDOW
            and self._fits(entries.oldest, entries.newest, entries.size)
        )
        if fits:
            self._add(entries.oldest, entries.newest, entries.size)
            self.parts.append(entries)
        return fits

    def takes_some(self, queued: QueuedEntries) -> bool:
        """Take as many of these as fit; whether none is left."""
        all_entries = queued.unpacked = queued.unpacked or queued.entries.unpacked()
        begin, end = queued.sent, len(all_entries)
        for entry in all_entries.part(begin):
            if self._goes_alone(entry) or not self._fits(entry.nanos, entry.nanos, entry.size):
                self.is_full = True
                if self._first != inf:  # it begins the next batch
                    break
            self._add(entry.nanos, entry.nanos, entry.size)
            queued.sent += 1
            if self.is_full:
                break
        if queued.sent > begin:
            self.parts.append(queued.entries.part(all_entries, begin, queued.sent))
        return queued.sent == end

    def _add(self, oldest: int, newest: int, size: int) -> None:
        self.size += size
        self._first, self._last = min(self._first, oldest), max(self._last, newest)
        self._seen = max(self._seen, newest)

    def _fits(self, oldest: int, newest: int, size: int) -> bool:
        span = max(self._last, newest) - min(self._first, oldest)
        return self.size + size <= self._limit and span <= WINDOW

    def _goes_alone(self, entry: Entry) -> bool:
        """Whether it is outside Loki's default limits."""
        return (
            len(entry.line) > LONGEST
            or not self._earliest <= entry.nanos <= self._latest
            or entry.nanos < self._seen - WINDOW
        )
