"""A sender between a test and the network."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from shipper.config import ClientConfig
from shipper.entries import Entries, Ticket
from shipper.metrics import Metrics
from shipper.model import Entry, Metadata
from shipper.sink.quarantine import RefusedEntry
from shipper.sink.sender import Sender
from tests.tickets import columns_of

APP = '{app="checkout", job="j"}'
PAY = '{app="payment", job="j"}'


class Harness:
    """What stands around a sender: it puts entries, owns their tickets, and counts what is settled."""

    sender: Sender

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.put_total = 0
        self.lines: list[str] = []  # settled
        self.dropped = 0
        self.quarantined: list[tuple[str, str]] = []  # line, reason of what was refused
        self.saves = 0
        self._nanos = time.time_ns()

    def put(self, *lines: str, labels: str = APP, age: int = 0) -> None:
        """Entries of one block, a nanosecond apart, so many nanoseconds old."""
        first, self._nanos = self._nanos, self._nanos + len(lines)
        entries = [Entry(first + at - age, line.encode()) for at, line in enumerate(lines)]
        self.put_total += len(entries)
        self.sender.put(Entries(labels, columns_of(entries), Ticket(self, None, 0)))

    def put_with(self, *entries: tuple[str, Metadata], labels: str = APP) -> None:
        """Likewise, entries with metadata."""
        first, self._nanos = self._nanos, self._nanos + len(entries)
        columns = columns_of([Entry(first + at, line.encode(), data) for at, (line, data) in enumerate(entries)])
        self.put_total += len(columns)
        self.sender.put(Entries(labels, columns, Ticket(self, None, 0)))

    def settled(self, part: Entries, dropped: int) -> None:
        self.lines += [entry.line.decode() for entry in part.unpacked()]
        self.dropped += dropped
        assert self.value("shipper_entries_sent_total") + self.all_dropped + self.pending == self.put_total

    def write(self, refused: Sequence[RefusedEntry]) -> str:
        self.quarantined += [(one.entry.line.decode(), one.reason) for one in refused]
        return "kept in memory"

    async def before_push(self, _parts: Sequence[Entries]) -> None:
        self.saves += 1

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    @property
    def pending(self) -> float:
        return self.value("shipper_entries_pending")

    @property
    def all_dropped(self) -> float:
        return sum(
            sample.value
            for metric in self.metrics.entries_dropped.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        )


Settings = Callable[..., ClientConfig]
"""Makes a client's section; what is not named has back-offs of milliseconds, and no `batchwait`."""

Start = Callable[..., AbstractAsyncContextManager[Harness]]
"""Runs a sender: `hold_for`, `linger`, and settings."""
