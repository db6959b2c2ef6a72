"""The entries of one stream that wait, and how batches are cut from them.

Knows the limits a stream's entries have in Loki; nothing of requests or answers.
"""

from collections import deque
from dataclasses import dataclass

from shipper.entries import Entries
from shipper.model import Kept
from shipper.sink.batch import Batch
from shipper.times import SECOND

HARD_LIMIT = 3 << 20  # bytes of a request: Loki passes messages of up to 4 MiB

# Loki's defaults. An entry beyond one is sent all the same, alone: then the answer is about it and nothing else.
OLDEST = 7 * 86_400 * SECOND
AHEAD = 600 * SECOND
LONGEST = 256 << 10
WINDOW = 3600 * SECOND  # how far an entry may lie behind the newest of its stream


@dataclass(slots=True, eq=False)
class Piece:
    """Entries as they came; once some of them had to be cut off, taken apart."""

    entries: Entries
    came: float
    kept: Kept | None = None
    at: int = 0  # so many are cut off


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
        self._pieces.append(Piece(entries, came))
        self.size += entries.size

    def pack(self) -> None:
        """Forget what was taken apart: nothing is cut off for a while, and it takes more memory than is counted."""
        if self._pieces:
            self._pieces[0].kept = None

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
            if piece.kept is None and cut.takes_whole(piece.entries):
                self._pieces.popleft()
            elif cut.is_worth_it:  # a smaller request costs less than taking one apart
                break
            elif cut.takes_some(piece):
                self._pieces.popleft()
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

    @property
    def is_worth_it(self) -> bool:
        """Whether it may go as it is, though not full."""
        return self.size >= self._limit / 2

    def takes_whole(self, entries: Entries) -> bool:
        """Take all of these, if none is odd and all fit."""
        seen = entries.newest if self._seen is None else max(self._seen, entries.newest)
        fits = (
            entries.longest <= LONGEST
            and entries.oldest >= self._earliest
            and entries.newest <= self._latest
            and entries.oldest >= seen - WINDOW
            and self._fits(entries.oldest, entries.newest, entries.size)
        )
        if fits:
            self._add(entries.oldest, entries.newest, entries.size)
            self.parts.append(entries)
        return fits

    def takes_some(self, piece: Piece) -> bool:
        """Take what fits from the piece's beginning; whether nothing of it is left."""
        whole = piece.kept = piece.kept or piece.entries.unpacked()
        begin, end = piece.at, len(whole)
        for entry in whole.part(begin):
            if self._is_odd(entry.nanos, len(entry.line)) or not self._fits(entry.nanos, entry.nanos, entry.size):
                self.full = True
                if self._first is not None:  # it begins the next batch
                    break
            self._add(entry.nanos, entry.nanos, entry.size)
            piece.at += 1
            if self.full:  # it goes alone
                break
        if piece.at > begin:
            self.parts.append(piece.entries.part(whole, begin, piece.at))
        return piece.at == end

    def _add(self, oldest: int, newest: int, size: int) -> None:
        self.size += size
        self._first = oldest if self._first is None else min(self._first, oldest)
        self._last = newest if self._last is None else max(self._last, newest)
        self._seen = newest if self._seen is None else max(self._seen, newest)

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
