"""Puts lines together that the runtime has written in pieces.

containerd cuts lines above 16 KiB into `P` .. `P` `F`; pieces of stdout and stderr come interleaved, and a sequence
may straddle two files. An open line holds its file's offset: a restart must read it again from its first piece.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from shipper.pipeline.cri import CriLine


class LogicalLine(NamedTuple):
    """A complete line: the time is that of its first piece; `content` is None when it grew too long."""

    time: bytes
    content: bytes | None


@dataclass(slots=True)
class OpenLine:
    """Pieces whose last has not come."""

    time: bytes
    file: object
    start: int  # offset of the first piece in that file
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0


class Joiner:
    """The open lines of one container log, one a stream at most."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._open: dict[bytes, OpenLine] = {}

    def __bool__(self) -> bool:
        """Whether a line is open."""
        return bool(self._open)

    def add(self, line: CriLine, file: object, start: int) -> LogicalLine | None:
        """The line this piece completes, if it does."""
        held = self._open.get(line.stream)
        if held is None:
            if not line.partial:
                return LogicalLine(line.time, line.content)
            held = self._open[line.stream] = OpenLine(line.time, file, start)
        held.size += len(line.content)
        if held.size <= self._max_size:
            held.pieces.append(line.content)
        else:
            held.pieces.clear()  # too long to ever be kept: only its end is waited for
        if line.partial:
            return None
        del self._open[line.stream]
        return self._close(held)

    def flush(self) -> Iterator[LogicalLine]:
        """The log has ended: what was open is complete as it is. What began first comes first."""
        held, self._open = list(self._open.values()), {}
        return map(self._close, held)

    def held(self, file: object) -> int | None:
        """The offset in this file that is not to be committed yet; None when no line holds it."""
        starts = [line.start for line in self._open.values() if line.file is file and line.size <= self._max_size]
        return min(starts, default=None)

    def _close(self, held: OpenLine) -> LogicalLine:
        return LogicalLine(held.time, None if held.size > self._max_size else b"".join(held.pieces))
