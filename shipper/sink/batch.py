"""What goes in one request: entries of one stream, in order.

Knows how entries are divided; nothing of time, sending or settling.
"""

import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from shipper.entries import Entries, push_body
from shipper.model import Columns


@dataclass(slots=True, eq=False)
class Batch:
    """Entries of one stream that are sent, repeated and settled together."""

    labels: str
    parts: list[Entries]
    since: float  # when its oldest entry came (monotonic clock)
    size: int  # bytes of lines and metadata
    body: bytes = b""  # once it was sent: a repetition is the same bytes
    rate_limits: int = 0  # how often a rate refused it, the tenant's or its stream's
    no_answers: int = 0  # how often no answer came, in a row
    is_reduced: bool = False  # it is a part of one that got none
    lacks: str = ""  # Loki's reason why its entries go without metadata or labels
    held: "Held | None" = None

    def unpacked(self) -> Columns:
        """All its entries, in order, unpacked: for a batch of which single entries are refused."""
        columns = Columns()
        for part in self.parts:
            columns.extend(part.unpacked())
        return columns

    @property
    def newest(self) -> int:
        """The time of its newest entry, in nanoseconds."""
        return max([part.newest for part in self.parts])

    def __len__(self) -> int:
        return sum([part.count for part in self.parts])

    def encoded(self) -> bytes:
        """The request's body: a push request as a snappy block."""
        if not self.body:
            self.body = push_body(self.labels, self.parts)
        return self.body

    def halves(self) -> tuple["Batch", "Batch"]:
        """The same entries in two batches, in order. Needs two entries at least."""
        first: list[Entries] = []
        second: list[Entries] = []
        left = len(self) // 2
        for part in self.parts:
            if left >= len(part):
                first.append(part)
            elif left > 0:
                whole = part.unpacked()
                first.append(part.part(whole, 0, left))
                second.append(part.part(whole, left, len(part)))
            else:
                second.append(part)
            left -= len(part)
        return self._of(first), self._of(second)

    def pieces(self, most: float) -> list["Batch"]:
        """The same entries in batches of at most so many bytes, or of a single entry, in order."""
        if self.size <= most or len(self) == 1:
            return [self]
        first, second = self.halves()
        first.is_reduced = second.is_reduced = self.is_reduced
        first.no_answers = second.no_answers = self.no_answers
        return first.pieces(most) + second.pieces(most)

    def split(self, places: Container[int]) -> tuple["Batch", "Batch"]:
        """The entries elsewhere and those at these places, each in order; either batch may be empty."""
        elsewhere: list[Entries] = []
        chosen: list[Entries] = []
        at = 0
        for part in self.parts:
            whole, begin = part.unpacked(), 0
            for is_chosen, run in groupby([place in places for place in range(at, at + len(part))]):
                end = begin + len(list(run))
                (chosen if is_chosen else elsewhere).append(part.part(whole, begin, end))
                begin = end
            at += len(part)
        return self._of(elsewhere), self._of(chosen)

    def without_metadata(self, reason: str) -> "Batch":
        """The same entries without structured metadata, for this reason of Loki's."""
        bare = []
        for part in self.parts:
            whole = part.unpacked()
            bare.append(part.part(Columns(whole.times, whole.lines), 0, len(part)))
        without = self._of(bare)
        without.lacks = reason
        return without

    def with_labels(self, labels: str, reason: str) -> "Batch":
        """The same entries with other labels, for this reason of Loki's."""
        return Batch(labels, self.parts, self.since, self.size, lacks=reason)

    def _of(self, parts: list[Entries]) -> "Batch":
        return Batch(self.labels, parts, self.since, sum(part.size for part in parts), lacks=self.lacks)

    def shares(self, refused: Mapping[int, str]) -> Iterator[tuple[Entries, int]]:
        """Each part, and how many of its entries are among the refused places."""
        at = 0
        for part in self.parts:
            end = at + len(part)
            yield part, sum(at <= place < end for place in refused) if refused else 0
            at = end


@dataclass(slots=True, eq=False)
class Held:
    """Why a batch waits beside its stream: it got an unknown 400, which may be about the request or about its lines."""

    waits: Iterator[float] = field(repr=False)
    is_bisected: bool = False  # it is a part of a batch that was held for too long
    since: float = math.inf  # when it got the first one
    until: float = 0.0  # when it may be tried again
