"""Joins partial lines, which the container runtime has written in several parts.

containerd splits lines above 16 KiB into `P` .. `P` `F`. Parts of stdout and stderr come interleaved, and one line may
span two files. While a partial line is not complete, its file must not be committed beyond its first part: after a
restart it is read again from there.

The last words of a container that ends without a newline are a part that no other follows. When nothing has come for
long, the parts that are there count as a line. Should the rest come after all, the whole line counts too; what begins
like a line of its own is no rest.

Facts: containerd internal/cri/io/logger.go. A part shorter than its limit is written only at the end of the stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shipper.pipeline.cri import ZTUNNEL_CONTENT, CriLine

FULL_PART: Final = 16384  # bytes of a part that the rest must follow: containerd's max_container_log_line_size


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
    last_size: int = 0  # of its last part


class Joiner:
    """The partial lines of one container's log, at most one per stream."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._partial: dict[bytes, PartialLine] = {}
        self.cut: dict[bytes, PartialLine] = {}  # were counted as they were, and their rest may come

    def __bool__(self) -> bool:
        """Whether a line is not complete."""
        return bool(self._partial)

    def add(self, line: CriLine, file: object, start: int) -> LogicalLine | None:
        """The line that this part completes, if it does."""
        partial = self._partial.get(line.stream)
        if partial is None:
            cut = self.cut.pop(line.stream, None) if self.cut else None
            is_rest = cut is not None and not _begins(line.content)
            if not line.partial and not is_rest:
                return LogicalLine(line.time, line.content)
            partial = self._partial[line.stream] = PartialLine(line.time, file, start)
            if cut is not None and is_rest:
                partial.time, partial.parts, partial.size = cut.time, cut.parts, cut.size
        partial.size += len(line.content)
        partial.last_size = len(line.content)
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
        partial, self._partial, self.cut = list(self._partial.values()), {}, {}
        return map(self._joined, partial)

    def cut_off(self) -> Iterator[LogicalLine]:
        """The same where the rest may still come."""
        cut = self._partial
        lines = self.flush()
        self.cut = cut
        return lines

    @property
    def lacks_rest(self) -> bool:
        """Whether the rest of a partial line must come, unless the runtime was killed."""
        return any(line.last_size >= FULL_PART for line in self._partial.values())

    def commit_limit(self, file: object) -> int | None:
        """The offset in this file beyond which nothing may be committed yet; None: no partial line is in the way."""
        starts = [line.start for line in self._partial.values() if line.file is file and line.size <= self._max_size]
        return min(starts, default=None)

    def _joined(self, partial: PartialLine) -> LogicalLine:
        return LogicalLine(partial.time, None if partial.size > self._max_size else b"".join(partial.parts))


def _begins(content: bytes) -> bool:
    """Whether a line of an access log begins so, JSON or text."""
    return content.lstrip(b" \t")[:1] in (b"{", b"[") or ZTUNNEL_CONTENT.match(content) is not None
