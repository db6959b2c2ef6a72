"""Finds the lines of a block that may be kept, at memory speed.

A keep rule states byte literals of which every line it keeps holds at least one. They are searched in the whole
block with SIMD instructions; only the lines around the hits are looked at. The search may pass too much, never too
little.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from stringzilla import count, find, rfind

NEWLINE: Final = b"\n"
PROBE: Final = 32  # hits after which it is decided how to go on
CLOSE: Final = 4096  # bytes between hits


def candidates(data: memoryview, literals: Sequence[bytes]) -> Iterator[bytes]:
    """Each line that holds one of the literals, in order, without its newline.

    `data` is whole lines: it ends with a newline. Where hits lie close together the rest of the block is split, for
    then searching is dearer.
    """
    hits = {literal: at for literal in literals if (at := find(data, literal)) >= 0}
    found = line_start = 0
    while hits:
        hit = min(hits.values())
        start = rfind(data, NEWLINE, line_start, hit) + 1 or line_start
        end = find(data, NEWLINE, hit)
        yield bytes(data[start:end])
        line_start = end + 1
        found += 1
        if found == PROBE and line_start < PROBE * CLOSE:
            yield from _every(data[line_start:-1], literals)
            return
        for literal, at in list(hits.items()):
            if at < line_start:
                at = find(data, literal, line_start)
                if at < 0:
                    del hits[literal]
                else:
                    hits[literal] = at


def _every(data: memoryview, literals: Sequence[bytes]) -> Iterator[bytes]:
    """The same, by looking at every line."""
    for line in bytes(data).split(NEWLINE):
        for literal in literals:
            if find(line, literal) >= 0:
                yield line
                break


def count_lines(data: memoryview) -> int:
    """Newlines in the block."""
    return int(count(data, NEWLINE))
