"""The file of the entries that Loki refuses: readable for people, a line of JSON each.

It is bounded. What cannot be written is logged and counted, and the agent goes on.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson

from shipper.log import Seldom, counted_entries
from shipper.metrics import Metrics
from shipper.model import Entry
from shipper.threads import Patience

log = logging.getLogger(__name__)

LIMIT = 64 << 20  # bytes of the file; as many again in the one before it
ANSWER_LIMIT = 1000  # characters of Loki's answer that are kept


class RefusedEntry(NamedTuple):
    """An entry that Loki will never take, and why."""

    labels: str
    entry: Entry
    reason: str
    answer: str  # Loki's words


Quarantine = Callable[[Sequence[RefusedEntry]], str]
"""Keeps refused entries for people to look at, and says where. Raises nothing."""


class QuarantineFile:
    """Appends to `path`; when it is full it becomes `<path>.1`, in place of the one before."""

    def __init__(
        self,
        path: Path,
        metrics: Metrics,
        *,
        limit: int = LIMIT,
        wall: Callable[[], float] = time.time,
        write: Callable[[int, memoryview], int] = os.write,
        patience: float = 1.0,
    ) -> None:
        """`patience`: seconds for which the agent stands still for a disk that hangs, once."""
        self._path, self._metrics, self._limit = path, metrics, limit
        self._wall, self._os_write = wall, write
        self._reports = Seldom()
        self._patience = Patience(patience)

    def write(self, refused: Sequence[RefusedEntry]) -> str:
        """Append these, all or none; what has become of them. Never raises for what a disk can do."""
        lines = [_line(one, self._wall()) for one in refused]
        try:
            self._patience.run(partial(self._append, b"".join(lines)))
        except OSError as error:
            self._metrics.quarantine_errors.inc(len(lines))
            if times := self._reports.due("write", times=len(lines)):
                log.error("cannot write refused entries to the quarantine file, %s lost; check the disk: %s",
                          counted_entries(times), error.strerror or error)  # fmt: skip
            return "lost, for the quarantine file cannot be written"
        self._metrics.quarantined.inc(len(lines))
        return f"kept in {self._path}"

    def _append(self, data: bytes) -> None:
        # Lines name peers and addresses: not for everyone on the node.
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            if size and size + len(data) > self._limit:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
                os.close(file)
                file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                size = 0
            self._write_whole(file, data, size)
        finally:
            os.close(file)

    def _write_whole(self, file: int, data: bytes, size: int) -> None:
        """All of it, or nothing: half a line would spoil the next one."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._os_write(file, rest) :]
        except OSError:
            os.ftruncate(file, size)
            raise


def _line(refused: RefusedEntry, now: float) -> bytes:
    record = {
        "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "reason": refused.reason,
        "answer": _readable(refused.answer[:ANSWER_LIMIT]),
        "labels": _readable(refused.labels),
        "timestamp": str(refused.entry.nanos),  # as in Loki's JSON: too large for a number there
        "line": refused.entry.line.decode(errors="backslashreplace"),
    }
    if refused.entry.metadata:
        record["metadata"] = _readable(", ".join(f"{name}={value}" for name, value in refused.entry.metadata))
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def _readable(text: str) -> str:
    """Text without lone surrogates, which JSON's UTF-8 cannot hold."""
    return text.encode(errors="backslashreplace").decode()
