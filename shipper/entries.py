"""Entries that wait for Loki, packed as they will be sent.

A line that waits as an object of its own takes memory beside its text, and has left the processor's cache when it is
sent. So a block's entries of a stream are encoded as soon as they are read, and compressed where that saves memory. A
request is a head and packed entries behind each other. They are unpacked only where Loki refuses some of them or takes
less at once.

Facts: a snappy block is its length and then elements, each a literal or a copy of bytes that lie a distance back
(google/snappy, format_description.txt); so the elements of two blocks behind each other are those of both together.
Loki 3.6.15's own decoders (golang/snappy, and its push request's) read such a body back entry by entry, 2026-11-30.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import snappy

from shipper.model import Columns
from shipper.wire import decode_entries, encode_entries, stream_head, varint

COMPRESSED_FROM = 16 << 10  # bytes: smaller ones are compressed better together, in the request
OVERHEAD = 512  # bytes of memory beside the lines: this object, its ticket, their places in lists


class Owner(Protocol):
    """Where entries come from; it is told what has become of them."""

    def settled(self, entries: "Entries", dropped: int) -> None:
        """Nothing more happens to these entries: `dropped` of them were given up for good, the others are stored.

        Called once for each `Entries` object.
        """


@dataclass(slots=True, eq=False)
class Ticket:
    """One block's claim on its file: the file is safe up to `end` once this ticket and all before it are settled."""

    owner: Owner
    file: object  # whose offset `end` is: only the source knows more
    end: int
    unsettled: int = 0  # entries not settled yet
    label_generation: int = 0  # of the label state when the block was read: to be saved before the entries are pushed


class Entries:
    """At least one entry of one stream, all from one block, in the file's order. Immutable."""

    __slots__ = ("_data", "_is_compressed", "_wire_size", "count", "labels", "longest", "memory", "newest", "oldest",
                 "size", "ticket")  # fmt: skip

    def __init__(self, labels: str, columns: Columns, ticket: Ticket) -> None:
        self.labels = labels  # the stream: `{app="checkout", job="..."}`, names sorted, values quoted as in Go
        self.ticket = ticket
        self.count = len(columns)
        self.size = columns.size  # bytes of lines and metadata, as Loki counts them
        self.oldest, self.newest = min(columns.times), max(columns.times)  # nanoseconds since 1970
        self.longest = max(map(len, columns.lines))  # bytes of a line
        data = encode_entries(columns)
        self._wire_size = len(data)
        self._is_compressed = len(data) >= COMPRESSED_FROM
        self._data = _elements(data) if self._is_compressed else data
        self.memory = len(self._data) + OVERHEAD  # bytes held until these are settled

    def __len__(self) -> int:
        return self.count

    def unpacked(self) -> Columns:
        """The entries, decoded."""
        data = self._data
        return decode_entries(snappy.uncompress(varint(self._wire_size) + data) if self._is_compressed else data)

    def part(self, columns: Columns, begin: int, end: int) -> "Entries":
        """The entries from place `begin` up to `end`; `columns` is what `unpacked` gave.

        The parts' `memory` adds up to that of the whole.
        """
        part = Entries(self.labels, columns.part(begin, end), self.ticket)
        part.memory = self.memory * end // self.count - self.memory * begin // self.count
        return part


def push_body(labels: str, parts: Sequence[Entries]) -> bytes:
    """A push request of one stream as a snappy block."""
    size = sum([part._wire_size for part in parts])
    head = stream_head(labels, size)
    body, loose = [varint(len(head) + size)], [head]
    for part in parts:
        if part._is_compressed:
            body += (_elements(b"".join(loose)), part._data)
            loose.clear()
        else:
            loose.append(part._data)
    body.append(_elements(b"".join(loose)))
    return b"".join(body)


def _elements(data: bytes) -> bytes:
    """A snappy block without its length."""
    block: bytes = snappy.compress(data)
    return block[len(varint(len(data))) :]
