"""What crosses the borders between source, pipeline and sink."""

from dataclasses import dataclass
from typing import NamedTuple

ENTRY_OVERHEAD = 256  # bytes of memory an Entry and its place in lists take beside its line


@dataclass(frozen=True, slots=True)
class Target:
    """One container whose log is tailed, or one log of a plain directory.

    Its fields are frozen when the target is first seen and kept with its positions, so that nothing is ever sent
    under two label sets.
    """

    key: str  # names the target in the positions: `<namespace>_<pod>_<uid>/<container>`, or a file's stem
    fields: dict[str, str]  # namespace, pod, uid, container, app, node: as far as they are known
    labels: dict[str, str]  # those of all its streams: job, fixed labels, and promoted fields


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of one file, as read: `data` ends with a newline, or is empty."""

    file: object  # whose bytes they are; only the source knows more
    start: int  # offset of the first byte
    data: memoryview  # valid until the next read
    too_long: int = 0  # lines before these that fit no buffer and were passed over


class Entry(NamedTuple):
    """A kept line, as Loki will hold it."""

    nanos: int  # since 1970, UTC
    line: bytes  # the JSON, byte for byte
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes as Loki counts them: the line and its structured metadata."""
        return len(self.line) + sum(len(name) + len(value) for name, value in self.metadata)


@dataclass(slots=True, eq=False)
class Ticket:
    """One block's claim on its file: safe up to `end`, once this ticket and all before it are settled."""

    log: object  # whose files these are, and
    file: object  # whose offset it is: only the source knows more
    end: int
    unsettled: int = 0  # entries on their way
    state: int = 0  # of all that labels depend on, when it was read: to be saved before it is pushed


@dataclass(slots=True, eq=False)
class Entries:
    """Entries of one stream that came in one block, in the file's order."""

    labels: str  # the stream: `{app="checkout", job="..."}`, names sorted, values quoted as in Go
    entries: list[Entry]
    ticket: Ticket

    @property
    def memory(self) -> int:
        """Bytes held until these are settled."""
        return bytes_of(self.entries) + ENTRY_OVERHEAD * len(self.entries)


def bytes_of(entries: list[Entry]) -> int:
    """Bytes of lines and metadata."""
    size = sum([len(entry[1]) for entry in entries])  # a list, and by place: a third of the time
    return size + sum([entry.size - len(entry[1]) for entry in entries if entry[2]])
