"""Finds the lines of a block that may be kept, at memory speed.

A keep rule states patterns of which every line it keeps matches at least one. One pass with SIMD instructions searches
the whole block for all of them; only the lines around the hits are looked at. The search may pass too many lines, never
too few. The same pass tells whether the block holds a partial line.

Facts: Vectorscan searches for up to eight literals in one pass at 14 GB/s, from the ninth on at 5. A class of
characters beside a literal costs nothing while it is wide: a narrow one multiplies the literal.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from pyperscan import BlockDatabase, Flag, Pattern, Scan
from stringzilla import count, find, rfind

NEWLINE: Final = b"\n"
PARTIAL_TAGS: Final = (b" stdout P", b" stderr P")  # one stands in every part of a partial line but the last
# After SAMPLE_HITS hits that lie on average within SAMPLE_BYTES of each other, check whether most lines match.
SAMPLE_HITS: Final = 32
SAMPLE_BYTES: Final = 4096
DENSE_SHARE: Final = 0.75  # hits by lines, at both ends of a block: above it, splitting every line costs less
END_BYTES: Final = 32 << 10  # how much of the end is checked


class Hits(NamedTuple):
    """Where a block must be looked at."""

    ends: list[int] | None  # offset behind each hit, in order; None: most lines match, so look at all of them
    has_partial: bool  # perhaps: a tag of a partial line stands somewhere in it


class Scanner:
    """Searches blocks for some patterns: regular expressions, each of a literal and little else."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        self._ends: list[int] = []
        self._has_partial = self._samples = False
        block, line = _compiled(tuple(patterns))
        self._block = block.build(None, self._note)
        self._line = line.build(None, lambda *_: Scan.Terminate)

    def scan(self, data: memoryview) -> Hits:
        """Where in these bytes a pattern matches."""
        is_whole = self._search(data, samples=True)
        if not is_whole and not self._has_partial:  # dense, at the beginning at least
            begin, end = data[: self._ends[-1]], data[-END_BYTES:]
            if self._is_dense(begin) and self._search(end, samples=False) and self._is_dense(end):
                return Hits(None, any(find(data, tag) >= 0 for tag in PARTIAL_TAGS))
            self._search(data, samples=False)
        return Hits(sorted(self._ends), self._has_partial)

    def matches(self, line: bytes) -> bool:
        """Whether a pattern matches in this line."""
        return self._line.scan(line) is Scan.Terminate

    def _search(self, data: memoryview, *, samples: bool) -> bool:
        """Search for all hits, with `samples` only until they look dense; whether all of the data was searched."""
        self._ends, self._has_partial, self._samples = [], False, samples
        return self._block.scan(data) is not Scan.Terminate

    def _is_dense(self, data: memoryview) -> bool:
        """Whether the last search, which was in these bytes, has nearly as many hits as there are lines."""
        return len(self._ends) >= DENSE_SHARE * count_lines(data)

    def _note(self, _: None, is_partial: bool, __: int, end: int) -> Scan:
        if is_partial:
            self._has_partial = True
            return Scan.Terminate  # every line will be looked at
        ends = self._ends
        ends.append(end)
        is_sample = self._samples and len(ends) == SAMPLE_HITS and end < SAMPLE_HITS * SAMPLE_BYTES
        return Scan.Terminate if is_sample else Scan.Continue


@lru_cache(maxsize=8)
def _compiled(patterns: tuple[bytes, ...]) -> tuple[BlockDatabase, BlockDatabase]:
    """For blocks: the patterns and the tags of partial lines. For a line: the patterns alone."""
    wanted = [Pattern(pattern, Flag.DOTALL, tag=False) for pattern in patterns]
    return BlockDatabase(*wanted, *(Pattern(tag, tag=True) for tag in PARTIAL_TAGS)), BlockDatabase(*wanted)


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
