"""Joins partial lines, which the container runtime has written in several parts.

containerd splits lines above 16 KiB into `P` .. `P` `F`. Parts of stdout and stderr come interleaved, and one line may
span two files. While a partial line is not complete, its file must not be committed beyond its first part: after a
restart it is read again from there.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from shipper.pipeline.cri import CriLine


class LogicalLine(NamedTuple):
    """A complete line: the time is that of its first part; `content` is None when it grew too long."""

    time: bytes
    content: bytes | None


@dataclass(slots=True)
class PartialLine:
    """A line whose last part has not come."""

    time: bytes
    file: object
    start: int  # offset of the first part in that file
    parts: list[bytes] = field(default_factory=list)
    size: int = 0


class Joiner:
    """The partial lines of one container's log, at most one per stream."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._partial: dict[bytes, PartialLine] = {}

    def __bool__(self) -> bool:
        """Whether a line is not complete."""
        return bool(self._partial)

    def add(self, line: CriLine, file: object, start: int) -> LogicalLine | None:
        """The line that this part completes, if it does."""
        partial = self._partial.get(line.stream)
        if partial is None:
            if not line.partial:
                return LogicalLine(line.time, line.content)
            partial = self._partial[line.stream] = PartialLine(line.time, file, start)
        partial.size += len(line.content)
        if partial.size <= self._max_size:
            partial.parts.append(line.content)
        else:
            partial.parts.clear()  # too long to be kept: only its end matters
        if line.partial:
            return None
        del self._partial[line.stream]
        return self._joined(partial)

    def flush(self) -> Iterator[LogicalLine]:
        """The log has ended: the partial lines as they are, in the order they began."""
        partial, self._partial = list(self._partial.values()), {}
        return map(self._joined, partial)

    def commit_limit(self, file: object) -> int | None:
        """The offset in this file beyond which nothing may be committed yet; None: no partial line is in the way."""
        starts = [line.start for line in self._partial.values() if line.file is file and line.size <= self._max_size]
        return min(starts, default=None)

    def _joined(self, partial: PartialLine) -> LogicalLine:
        return LogicalLine(partial.time, None if partial.size > self._max_size else b"".join(partial.parts))
