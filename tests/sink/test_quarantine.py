"""Refused entries stay readable, and their file bounded."""

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from shipper.metrics import Metrics
from shipper.model import Entry
from shipper.sink.quarantine import ANSWER_LIMIT, QuarantineFile, RefusedEntry

LABELS = '{app="checkout"}'


def refused(line: bytes = b"line", **changes: Any) -> RefusedEntry:
    return RefusedEntry(LABELS, Entry(1_700_000_000_000_000_001, line), "line_too_long", "words")._replace(**changes)


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def counted(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"shipper_{name}_total")


def test_each_entry_is_a_line_a_person_can_read(tmp_path: Path, metrics: Metrics) -> None:
    quarantine = QuarantineFile(tmp_path / "q", metrics, wall=lambda: 1_700_000_000.5)
    assert quarantine.write([refused(), refused(b"two")]) == f"kept in {tmp_path}/q"
    quarantine.write([refused(b"three", entry=Entry(5, b"three", (("a", "b"),)))])
    first, second, third = read(tmp_path / "q")
    assert first == {
        "time": "2023-11-14T22:13:20.500+00:00",
        "reason": "line_too_long",
        "answer": "words",
        "labels": LABELS,
        "timestamp": "1700000000000000001",
        "line": "line",
    }
    assert [second["line"], third["line"], third["metadata"]] == ["two", "three", "a=b"]
    assert (tmp_path / "q").stat().st_mode & 0o777 == 0o600
    assert counted(metrics, "entries_quarantined") == 3


def test_bytes_that_are_no_text(tmp_path: Path, metrics: Metrics) -> None:
    unreadable = refused(b'\xff\n\x00"', labels="\ud800", answer="\udcff" + "x" * 5000)
    QuarantineFile(tmp_path / "q", metrics).write([unreadable])
    (record,) = read(tmp_path / "q")
    assert record["line"] == '\\xff\n\x00"'
    assert record["labels"] == "\\ud800"
    assert len(record["answer"]) < ANSWER_LIMIT + 10


def test_a_full_file_makes_room_once(tmp_path: Path, metrics: Metrics) -> None:
    quarantine = QuarantineFile(tmp_path / "q", metrics, limit=400)
    for number in range(9):
        quarantine.write([refused(str(number).encode())])
    kept = [record["line"] for name in ("q.1", "q") for record in read(tmp_path / name)]
    assert kept == [str(number) for number in range(9 - len(kept), 9)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["q", "q.1"]
    assert all(path.stat().st_size <= 400 for path in tmp_path.iterdir())


def test_a_folder_that_is_gone_is_said_once_and_counted(
    tmp_path: Path, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    quarantine = QuarantineFile(tmp_path / "gone" / "q", metrics)
    quarantine.write([refused(), refused()])
    assert quarantine.write([refused()]) == "lost, for the quarantine file cannot be written"
    assert [record.message for record in caplog.records] == [
        "cannot write refused entries to the quarantine file, 2 entries lost; check the disk: No such file or directory"
    ]
    assert counted(metrics, "quarantine_errors") == 3
    assert counted(metrics, "entries_quarantined") == 0


def test_a_disk_that_fills_up_leaves_no_half_line(tmp_path: Path, metrics: Metrics) -> None:
    space = 10_000

    def write(file: int, data: memoryview) -> int:
        nonlocal space
        if not space:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = os.write(file, data[:space])
        space -= written
        return written

    quarantine = QuarantineFile(tmp_path / "q", metrics, write=write)
    quarantine.write([refused(b"before")])
    space = 10
    quarantine.write([refused(b"lost")])
    space = 10_000
    quarantine.write([refused(b"after")])
    assert [record["line"] for record in read(tmp_path / "q")] == ["before", "after"]
    assert counted(metrics, "quarantine_errors") == 1


def test_a_disk_that_hangs_is_waited_for_once(tmp_path: Path, metrics: Metrics) -> None:
    gate, written = threading.Event(), threading.Event()

    def write(file: int, data: memoryview) -> int:
        gate.wait(20)
        size = os.write(file, data)
        written.set()
        return size

    quarantine = QuarantineFile(tmp_path / "q", metrics, write=write, patience=0.01)
    for _ in range(20):
        quarantine.write([refused()])
    assert counted(metrics, "quarantine_errors") == 20
    gate.set()
    assert written.wait(20)
    while counted(metrics, "entries_quarantined") == 0:  # the thread that has written ends
        quarantine.write([refused(b"after")])
    assert [record["line"] for record in read(tmp_path / "q")][-1] == "after"
