"""The entries of one stream that wait, and how batches are cut from them.

Knows the limits a stream's entries have in Loki; nothing of requests or answers.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from shipper.model import Entries, Entry
from shipper.sink.batch import Batch

SECOND = 1_000_000_000
HARD_LIMIT = 3 << 20  # bytes of a request: Loki passes messages of up to 4 MiB

# Loki's defaults. An entry beyond one is sent all the same, alone: then the answer is about it and nothing else.
OLDEST = 7 * 86_400 * SECOND
AHEAD = 600 * SECOND
LONGEST = 256 << 10
WINDOW = 3600 * SECOND  # how far an entry may lie behind the newest of its stream


@dataclass(slots=True, eq=False)
class Piece:
    """Entries as they came, with what the cutting asks of them, found once."""

    entries: Entries
    came: float
    size: int
    oldest: int
    newest: int
    longest: int
    at: int = 0  # entries before are cut off already

    @classmethod
    def of(cls, entries: Entries, came: float) -> "Piece":
        """Measured in a few passes, each without a step of Python's own per entry."""
        times, lines = entries.kept.times, entries.kept.lines
        return cls(entries, came, entries.size, min(times), max(times), max(map(len, lines)))

    @property
    def rest(self) -> Iterator[Entry]:
        """Entries not cut off yet."""
        return iter(self.entries.kept.part(self.at) if self.at else self.entries.kept)


class Queue:
    """Waiting entries of one stream, in the order they came."""

    def __init__(self, labels: str) -> None:
        self._labels = labels
        self._pieces: deque[Piece] = deque()
        self.size = 0  # bytes of lines and metadata

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def since(self) -> float:
        """When the oldest came."""
        return self._pieces[0].came

    def put(self, entries: Entries, came: float) -> None:
        """Add entries, at least one, at the end."""
        piece = Piece.of(entries, came)
        self._pieces.append(piece)
        self.size += piece.size

    def cut(self, limit: int, newest_sent: int | None, now: int) -> Batch:
        """The next batch: as many entries as go into `limit` bytes, at least one.

        `newest_sent` is the time of the newest entry that Loki has of this stream, `now` the wall clock; both
        in nanoseconds. A batch spans an hour at most: sent twice (its answer was lost), its first entries must
        not be too far behind its last.
        """
        cut = _Cut(min(limit, HARD_LIMIT), newest_sent, now)
        since = self.since
        while self._pieces and not cut.full:
            piece = self._pieces[0]
            taken = cut.take(piece)
            if taken == len(piece.entries) and not piece.at:
                cut.parts.append(piece.entries)
            elif taken > piece.at:
                part = Entries(self._labels, piece.entries.kept.part(piece.at, taken), piece.entries.ticket)
                cut.parts.append(part)
            if taken == len(piece.entries):
                self._pieces.popleft()
            piece.at = taken
        self.size -= cut.size
        return Batch(self._labels, cut.parts, since, cut.size)


class _Cut:
    """One batch while it is being cut."""

    def __init__(self, limit: int, newest_sent: int | None, now: int) -> None:
        self.parts: list[Entries] = []
        self.size = 0
        self.full = False
        self._limit = limit
        self._earliest, self._latest = now - OLDEST, now + AHEAD
        self._seen = newest_sent  # newest time so far: Loki's, and of this batch
        self._first: int | None = None  # oldest time of this batch
        self._last: int | None = None

    def take(self, piece: Piece) -> int:
        """Take what fits from a piece's beginning; returns the place of the first entry that does not."""
        if not piece.at and self._fits_whole(piece):
            self._add(piece.oldest, piece.newest, piece.size)
            return len(piece.entries)
        at = piece.at
        for entry in piece.rest:
            nanos, length = entry[0], len(entry[1])
            size = entry.size
            if self._is_odd(nanos, length) or not self._fits(nanos, nanos, size):
                self.full = True
                if self._first is not None:  # it begins the next batch
                    break
            self._add(nanos, nanos, size)
            at += 1
            if self.full:  # it goes alone
                break
        return at

    def _add(self, oldest: int, newest: int, size: int) -> None:
        self.size += size
        self._first = oldest if self._first is None else min(self._first, oldest)
        self._last = newest if self._last is None else max(self._last, newest)
        self._seen = newest if self._seen is None else max(self._seen, newest)

    def _fits_whole(self, piece: Piece) -> bool:
        seen = piece.newest if self._seen is None else max(self._seen, piece.newest)
        return (
            piece.longest <= LONGEST
            and piece.oldest >= self._earliest
            and piece.newest <= self._latest
            and piece.oldest >= seen - WINDOW
            and self._fits(piece.oldest, piece.newest, piece.size)
        )

    def _fits(self, oldest: int, newest: int, size: int) -> bool:
        if self._first is None or self._last is None:
            return size <= self._limit
        span = max(self._last, newest) - min(self._first, oldest)
        return self.size + size <= self._limit and span <= WINDOW

    def _is_odd(self, nanos: int, length: int) -> bool:
        return (
            length > LONGEST
            or not self._earliest <= nanos <= self._latest
            or (self._seen is not None and nanos < self._seen - WINDOW)
        )
