"""Values that cross the borders between source, pipeline and sink."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

Metadata = tuple[tuple[str, str], ...]
"""Structured metadata: names and values."""


@dataclass(frozen=True, slots=True)
class Target:
    """One container whose log is tailed, or one log of a plain directory.

    Its fields are frozen when the target is first seen and kept with its positions, so that nothing is ever sent
    under two label sets.
    """

    key: str  # names the target in the positions: `<namespace>_<pod>_<uid>/<container>`, or a file's stem
    fields: dict[str, str]  # namespace, pod, uid, container, app, node: as far as they are known
    labels: dict[str, str]  # those of all its streams: job, fixed labels, and promoted fields
    promoted: tuple[
        str, ...
    ] = ()  # names of labels that are of its own pod: the others stand on each line whoever it is of


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
    metadata: Metadata = ()

    @property
    def size(self) -> int:
        """Bytes as Loki counts them: the line and its structured metadata."""
        return len(self.line) + metadata_size(self.metadata)


@dataclass(slots=True)
class Columns:
    """Entries in their order, as columns: an object for each would cost as much as to parse its line."""

    times: list[int] = field(default_factory=list)  # nanoseconds since 1970, UTC
    lines: list[bytes] = field(default_factory=list)  # the JSON of each, byte for byte
    metadata: list[Metadata] | None = None  # of each; None where none has any

    def add(self, nanos: int, line: bytes, metadata: Metadata = ()) -> None:
        """Append an entry."""
        if metadata and self.metadata is None:
            self.started_metadata()
        self.times.append(nanos)
        self.lines.append(line)
        if self.metadata is not None:
            self.metadata.append(metadata)

    def started_metadata(self) -> list[Metadata]:
        """The column of metadata, also where no entry has any so far."""
        if self.metadata is None:
            self.metadata = [()] * len(self.times)
        return self.metadata

    def extend(self, others: "Columns") -> None:
        """Append all entries of the others."""
        if others.metadata is not None or self.metadata is not None:
            before = self.metadata or [()] * len(self.times)
            self.metadata = before + (others.metadata or [()] * len(others.times))
        self.times += others.times
        self.lines += others.lines

    def part(self, begin: int, end: int | None = None) -> "Columns":
        """The entries from place `begin` up to `end`."""
        metadata = self.metadata[begin:end] if self.metadata is not None else None
        return Columns(self.times[begin:end], self.lines[begin:end], metadata)

    @property
    def size(self) -> int:
        """Bytes as Loki counts them: of lines and metadata."""
        return sum(map(len, self.lines)) + (sum(map(metadata_size, self.metadata)) if self.metadata else 0)

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Entry]:
        """The entries one by one: slow, for the few that need it."""
        if self.metadata is None:
            return map(Entry, self.times, self.lines)
        return map(Entry, self.times, self.lines, self.metadata)


def metadata_size(metadata: Metadata) -> int:
    """Bytes as Loki counts them: of names and values."""
    return sum(
        [
            len(name) + (len(value) if value.isascii() else len(value.encode(errors="replace")))
            for name, value in metadata
        ]
    )
