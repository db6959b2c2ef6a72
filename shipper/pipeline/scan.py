"""Finds the lines of a block that may be kept, at memory speed.

A keep rule states byte literals of which every line it keeps holds at least one. They are searched in the whole
block with SIMD instructions; only the lines around the hits are looked at. The search may pass too much, never too
little.
"""

from collections.abc import Iterator, Sequence

from stringzilla import count, find, rfind

NEWLINE = b"\n"


def candidates(data: memoryview, literals: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """(start, end) of each line that holds one of the literals, in order, without the newline.

    `data` is whole lines: it ends with a newline.
    """
    hits = {literal: at for literal in literals if (at := find(data, literal)) >= 0}
    line_start = 0
    while hits:
        hit = min(hits.values())
        start = rfind(data, NEWLINE, line_start, hit) + 1 or line_start
        end = find(data, NEWLINE, hit)
        yield start, end
        line_start = end + 1
        for literal, at in list(hits.items()):
            if at < line_start:
                at = find(data, literal, line_start)
                if at < 0:
                    del hits[literal]
                else:
                    hits[literal] = at


def count_lines(data: memoryview) -> int:
    """Newlines in the block."""
    return int(count(data, NEWLINE))
