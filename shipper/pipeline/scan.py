"""Finds the lines of a block that may be kept, at memory speed.

A keep rule states patterns of which every line it keeps matches at least one. They are searched in the whole block in
one pass with SIMD instructions, all at once; only the lines around the hits are looked at. The search may pass too
much, never too little. The same pass tells whether a line stands there in pieces.

Facts: Vectorscan takes up to eight literals in one pass at 14 GB/s, from the ninth on at 5; a class of characters
beside a literal costs nothing, as long as it is so wide that the literal is not multiplied by it.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from pyperscan import BlockDatabase, Flag, Pattern, Scan
from stringzilla import count, find, rfind

NEWLINE: Final = b"\n"
PIECES: Final = (b" stdout P", b" stderr P")  # stand in every line that comes in pieces, but for its last one
CROWD: Final = 32  # hits in a row after which it is decided how to go on
CLOSE: Final = 4096  # bytes between hits, in which they are worth the question
CROWDED: Final = 0.75  # hits by lines at both ends of a block: then to take every line costs less than to find some
END_BYTES: Final = 32 << 10  # that are looked at there


class Hits(NamedTuple):
    """Where a block must be looked at."""

    ends: list[int] | None  # just behind each hit, in order; None: they lie so close that every line may be one
    pieces: bool  # perhaps: a line in pieces is among them


class Scanner:
    """Searches blocks for some patterns: regular expressions, each of a literal and little else."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._ends: list[int] = []
        self._pieces = self._stops = False
        block, line = _compiled(tuple(patterns))
        self._block = block.build(None, self._note)
        self._line = line.build(None, lambda *_: Scan.Terminate)

    def scan(self, data: memoryview) -> Hits:
        """Where in these bytes a pattern matches."""
        is_whole = self._search(data, stops=True)
        if not is_whole and not self._pieces:  # a storm, at the beginning at least
            begin, end = data[: self._ends[-1]], data[-END_BYTES:]
            if self._is_crowded(begin) and self._search(end, stops=False) and self._is_crowded(end):
                return Hits(None, any(find(data, piece) >= 0 for piece in PIECES))
            self._search(data, stops=False)
        return Hits(sorted(self._ends), self._pieces)

    def matches(self, line: bytes) -> bool:
        """Whether a pattern matches in this line."""
        return self._line.scan(line) is Scan.Terminate

    def _search(self, data: memoryview, *, stops: bool) -> bool:
        """Look for all hits, or with `stops` for as many as make a storm; whether all has been looked at."""
        self._ends, self._pieces, self._stops = [], False, stops
        return self._block.scan(data) is not Scan.Terminate

    def _is_crowded(self, data: memoryview) -> bool:
        """Whether the last search, which was in these bytes, has nearly as many hits as there are lines."""
        return len(self._ends) >= CROWDED * count_lines(data)

    def _note(self, _: None, is_piece: bool, __: int, end: int) -> Scan:
        if is_piece:
            self._pieces = True
            return Scan.Terminate  # every line is looked at then
        ends = self._ends
        ends.append(end)
        return Scan.Terminate if self._stops and len(ends) == CROWD and end < CROWD * CLOSE else Scan.Continue


@lru_cache(maxsize=8)
def _compiled(patterns: tuple[bytes, ...]) -> tuple[BlockDatabase, BlockDatabase]:
    """What finds these patterns, and pieces of lines, in a block; and what finds the patterns alone, in a line."""
    signs = [Pattern(pattern, Flag.DOTALL, tag=False) for pattern in patterns]
    return BlockDatabase(*signs, *(Pattern(piece, tag=True) for piece in PIECES)), BlockDatabase(*signs)


def lines_at(data: memoryview, ends: Sequence[int] | None) -> list[bytes]:
    """The lines in which these hits end, in order, each once, without their newlines; all lines for None.

    `data` is whole lines: it ends with a newline. A hit that ends with a newline is in the line before that.
    """
    if ends is None:
        return bytes(data[:-1]).split(NEWLINE)
    lines, limit = [], 0  # behind the last line
    for end in ends:
        if end > limit:
            start = rfind(data, NEWLINE, limit, end - 1) + 1 or limit
            limit = find(data, NEWLINE, end - 1) + 1
            lines.append(bytes(data[start : limit - 1]))
    return lines


def count_lines(data: memoryview) -> int:
    """Newlines in the block."""
    return int(count(data, NEWLINE))
