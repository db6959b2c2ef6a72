import asyncio
import errno
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.metrics import Metrics
from shipper.source.positions.file import VERSION, Positions, SavedTarget
from shipper.source.positions.writing import write_line
from shipper.source.tail.saved import SavedFile

STATE = {
    "shop_pay-0_u1/istio-proxy": SavedTarget(
        {"app": "pay", "pod": "pay-0"},
        [{"termination_details": "é\n"}],
        [SavedFile("0.log", 2049, 77, 1024, "ab" * 16, 1 << 62), SavedFile("1.log", 2049, 78, 0, "", 0)],
    )
}
OTHER = {"app": SavedTarget()}


def encoded(state: Mapping[str, SavedTarget]) -> dict[str, msgspec.Raw]:
    return {key: target.encoded() for key, target in state.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "positions.json"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def positions(path: Path, metrics: Metrics) -> Positions:
    return Positions(path, metrics)


def saves(metrics: Metrics, outcome: str) -> float | None:
    return metrics.registry.get_sample_value("shipper_positions_saves_total", {"outcome": outcome})


async def test_what_was_saved_is_loaded(path: Path, positions: Positions, metrics: Metrics) -> None:
    assert positions.load() == {}
    assert await positions.save(encoded(STATE))
    assert Positions(path, metrics).load() == STATE
    assert saves(metrics, "saved") == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("crash", ["open", "fsync", "replace"])
@pytest.mark.parametrize("before", [{}, OTHER])
async def test_a_crash_leaves_the_old_file_or_the_new(
    path: Path,
    positions: Positions,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    crash: str,
    before: dict[str, SavedTarget],
) -> None:
    if before:
        await Positions(path, metrics).save(encoded(before))

    class Crash(BaseException):
        pass

    def crashes(*_args: object, **_more: object) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        owner = {"open": type(path), "fsync": os, "replace": type(path)}[crash]
        patch.setattr(owner, crash, crashes)
        with pytest.raises(Crash):
            await positions.save(encoded(STATE))
    assert Positions(path, metrics).load() == before
    assert await positions.save(encoded(STATE))
    assert Positions(path, metrics).load() == STATE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b"positions:\n  /var/log/pods/x.log: '1'\n",
        b'{"x":' + b"[" * 200_000,
        orjson.dumps({"version": VERSION, "targets": {"a": {"files": [{"name": "0.log"}]}}}),
        orjson.dumps({"version": VERSION, "targets": {}})[:-1],
        orjson.dumps({"version": VERSION, "targets": {}}) + b"}",
        orjson.dumps({"version": VERSION + 1, "targets": {}}),
        orjson.dumps({"version": VERSION + 1, "files": [], "targets": {"a": 1}}),
    ],
)
async def test_a_file_that_cannot_be_used_is_set_aside_and_done_without(
    path: Path, positions: Positions, metrics: Metrics, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path.write_bytes(content)
    assert positions.load() == {}
    (aside,) = path.parent.iterdir()
    assert aside.name.startswith("positions.json.unreadable-")
    assert aside.read_bytes() == content
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    await positions.save(encoded(STATE))
    assert Positions(path, metrics).load() == STATE


def test_an_offset_before_the_beginning_is_not_believed(path: Path, positions: Positions) -> None:
    bad = {"name": "0.log", "device": 1, "inode": 1, "head": 0, "digest": "", "offset": -1}
    path.write_bytes(orjson.dumps({"version": VERSION, "targets": {"a": {"files": [bad]}}}))
    assert positions.load() == {}


@given(st.binary(max_size=60))
def test_no_content_is_too_strange(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("positions") / "positions.json"
    path.write_bytes(content)
    assert Positions(path, Metrics()).load() == {}


def test_a_dry_run_leaves_a_broken_file_where_it_is(path: Path, metrics: Metrics) -> None:
    path.write_bytes(b"broken")
    assert Positions(path, metrics, read_only=True).load() == {}
    assert path.read_bytes() == b"broken"


async def test_a_dry_run_saves_nothing(path: Path, metrics: Metrics) -> None:
    positions = Positions(path, metrics, read_only=True)
    assert await positions.save(encoded(STATE))
    assert not path.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
async def test_a_full_or_read_only_disk_is_said_once_and_survived(
    path: Path,
    positions: Positions,
    metrics: Metrics,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    caplog.set_level(logging.INFO)
    await positions.save(encoded(STATE))

    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        assert not await positions.save(encoded(OTHER))
        assert not await positions.save(encoded(OTHER))
    assert Positions(path, metrics).load() == STATE
    assert await positions.save(encoded(OTHER))
    assert Positions(path, metrics).load() == OTHER
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.INFO]
    assert (saves(metrics, "saved"), saves(metrics, "failed")) == (2, 2)


async def test_a_directory_that_is_not_there_is_survived(tmp_path: Path, metrics: Metrics) -> None:
    positions = Positions(tmp_path / "gone" / "positions.json", metrics)
    assert positions.load() == {}
    assert not await positions.save(encoded(OTHER))


async def test_a_save_that_was_cancelled_does_not_disturb_the_last_one(
    path: Path, positions: Positions, metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    real = type(path).open

    def slow(self: Path, mode: str) -> Any:
        file = real(self, mode)
        monkeypatch.setattr(type(path), "open", real)
        reached.set()
        go_on.wait(20)
        return file

    monkeypatch.setattr(type(path), "open", slow)
    first = asyncio.create_task(positions.save(encoded(STATE)))
    await asyncio.to_thread(reached.wait, 20)
    first.cancel()
    await asyncio.wait({first})
    last = asyncio.create_task(positions.save(encoded(OTHER)))
    await asyncio.wait({last}, timeout=0.1)  # long enough for one that does not wait for the other to be done
    go_on.set()
    assert await last
    await asyncio.get_running_loop().shutdown_default_executor()  # both have written what they had
    assert Positions(path, metrics).load() == OTHER


class HangingDisk:
    """A write begins and does not return before the test says so."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.may_return = threading.Event()

    def write(self, path: Path, line: bytes) -> None:
        self.begun += 1
        self.may_return.wait(20)
        write_line(path, line)
        self.ended += 1


async def test_a_disk_that_hangs_is_said_once_and_waited_for_once(
    path: Path, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    disk, now = HangingDisk(), [100.0]
    positions = Positions(path, metrics, patience=0.01, write=disk.write, clock=lambda: now[0])
    first = asyncio.create_task(positions.save(encoded(STATE)))
    await asyncio.sleep(0)
    assert positions.failing == ""
    assert not await first
    now[0] = 107.0
    assert positions.failing == "a write has not returned for 7 s"
    assert metrics.registry.get_sample_value("shipper_positions_write_age_seconds") == 7.0
    for _ in range(50):
        assert not await positions.save(encoded(OTHER))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "takes more than 0.01 s" in caplog.text
    assert disk.begun == 1  # nothing is written beside a write that hangs
    disk.may_return.set()
    async with asyncio.timeout(20):
        while not await positions.save(encoded(OTHER)):
            await asyncio.sleep(0.001)  # the thread that has returned tells the loop
    assert (positions.failing, positions.write_age) == ("", 0.0)
    assert Positions(path, metrics).load() == OTHER
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.INFO]
    assert (saves(metrics, "saved"), saves(metrics, "failed")) == (disk.ended, None)


async def test_what_has_failed_is_told_until_it_is_saved(path: Path, metrics: Metrics) -> None:
    errors = [OSError(errno.ENOSPC, "No space left on device")]

    def write(path: Path, line: bytes) -> None:
        if errors:
            raise errors.pop()
        write_line(path, line)

    positions = Positions(path, metrics, write=write)
    assert not await positions.save(encoded(STATE))
    assert "No space left" in positions.failing
    assert await positions.save(encoded(STATE))
    assert positions.failing == ""


async def test_a_damaged_file_that_cannot_be_set_aside_is_overwritten(
    path: Path, positions: Positions, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_bytes(b"broken")
    with mock.patch.object(type(path), "replace", side_effect=OSError(errno.EBUSY, "Device or resource busy")):
        assert positions.load() == {}
        assert "cannot be set aside (Device or resource busy)" in caplog.text
        assert await positions.save(encoded(STATE))
        assert Positions(path, metrics).load() == STATE
