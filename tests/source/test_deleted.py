"""Deleted files take no more of the disk than they may: the oldest are given up, and counted."""

import os
import weakref
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from lab.containerd import LogWriter, cri_line
from shipper.source.deleted import DeletedFiles
from shipper.source.tail.handles import Deleted, open_log
from shipper.source.tail.listing import Listing
from tests.source.reading import MIB, Kept, MakeFollowing, MakeReading, Reading

DISK = 1 << 40  # bytes


@dataclass(eq=False)
class File:
    """Stands for a tailer."""

    size: int
    modified: int
    volume: int = 1
    disk: int = DISK
    is_listed: bool = False

    may_be_deleted = True

    @property
    def deleted(self) -> Deleted | None:
        return Deleted(self.size, self.modified, self.volume, self.disk) if self.size else None


@dataclass(eq=False)
class Log:
    """Stands for a follower."""

    tailers: list[File]
    given_up: list[File] = field(default_factory=list)

    @property
    def files(self) -> "Log":
        return self

    def give_up(self, file: File) -> None:
        self.given_up.append(file)
        file.size = 0


def bounded(*logs: Log, most: int = 100, percent: int = 100) -> list[Log]:
    deleted = DeletedFiles(most, percent)
    for log in logs:
        deleted.listed(cast("Any", log))
    return cast("list[Log]", list(deleted.give_up_oldest()))


def test_within_the_bound_nothing_is_given_up() -> None:
    log = Log([File(40, 1), File(60, 2)])
    assert bounded(log) == []


def test_the_oldest_of_all_logs_are_given_up() -> None:
    first, second = Log([File(40, 1), File(40, 4)]), Log([File(40, 2), File(40, 3)])
    assert set(bounded(first, second)) == {first, second}
    assert [[file.modified for file in log.given_up] for log in (first, second)] == [[1], [2]]


def test_one_that_has_a_compressed_copy_is_given_up_first() -> None:
    log = Log([File(60, 1), File(60, 2, is_listed=True)])
    bounded(log)
    assert [file.modified for file in log.given_up] == [2]


def test_a_small_volume_holds_its_share_only_and_each_volume_by_itself() -> None:
    log = Log([File(40, 1, volume=1, disk=1000), File(40, 2, volume=1, disk=1000), File(90, 0, volume=2)])
    bounded(log, percent=5)
    assert [file.modified for file in log.given_up] == [1]


def test_files_that_are_closed_by_now_do_not_count() -> None:
    log = Log([File(60, 1)])
    deleted = DeletedFiles(100, 100)
    deleted.listed(cast("Any", log))
    log.tailers[0].size = 0
    log.tailers.append(File(60, 2))
    deleted.listed(cast("Any", log))
    assert not deleted.give_up_oldest()
    log.tailers.append(File(60, 3))
    deleted.listed(cast("Any", log))
    assert deleted.give_up_oldest()
    assert [file.modified for file in log.given_up] == [2]


def test_files_that_are_closed_by_now_are_forgotten() -> None:
    log = Log([])
    deleted = DeletedFiles(DISK, 100)
    files = []
    for number in range(1000):
        file = File(1, number)
        files.append(weakref.ref(file))
        log.tailers = [file]
        deleted.listed(cast("Any", log))
        file.size = 0
    assert sum(file() is not None for file in files) < 200


def test_a_file_that_goes_on_growing_counts_as_it_is() -> None:
    log = Log([File(60, 1), File(30, 2)])
    deleted = DeletedFiles(100, 100)
    for _ in range(3):
        deleted.listed(cast("Any", log))
        assert not deleted.give_up_oldest()
    log.tailers[1].size = 50
    deleted.listed(cast("Any", log))
    assert deleted.give_up_oldest()
    assert [file.modified for file in log.given_up] == [1]


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_handle_tells_what_its_deleted_file_takes(tmp_path: Path, log: LogWriter, gzipped: bool) -> None:
    log.write(os.urandom(100_000).hex().encode())
    path = log.compress(log.rotate()) if gzipped else log.rotate()
    listed = next(one for one in Listing(str(log.directory)).shown(None, 0.0).files if one.name.text == path.name)
    handle = open_log(str(path), listed.name)
    try:
        status, volume = path.stat(), os.statvfs(tmp_path)
        assert handle.deleted() is None
        path.unlink()
        assert handle.deleted() == Deleted(
            status.st_blocks * 512, status.st_mtime_ns, status.st_dev, volume.f_blocks * volume.f_frsize
        )
    finally:
        handle.close()


async def test_a_deleted_file_that_is_given_up_costs_its_unread_rest_and_no_other(
    follow: MakeFollowing, log: LogWriter, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    log.write(kept(1))
    following = follow(log.directory)
    assert await following.read() == [kept(1)]
    read = log.path.stat().st_size
    log.write(kept(2))
    unread = log.path.stat().st_size - read
    log.rotate().unlink()
    log.write(kept(3))
    following.files.expire_listing()
    following.look()
    first, _ = following.files.tailers
    assert first.deleted
    following.follower.give_up(first)
    losses = following.files.take_losses()
    assert losses
    assert (losses.files, losses.bytes) == (1, unread)
    assert f"lost {unread} bytes" in caplog.text
    assert await following.read() == [kept(3)]
    following.settle()
    assert following.committed == {"0.log": log.path.stat().st_size}


async def test_a_partial_line_does_not_go_on_after_a_file_that_was_given_up(
    follow: MakeFollowing, log: LogWriter, kept: Kept
) -> None:
    whole = kept(1)
    log.write_raw(cri_line(log.now(), whole, tag="P"))
    following = follow(log.directory)
    assert await following.read() == []
    log.write_raw(cri_line(log.now(), b" "))
    log.rotate().unlink()
    log.write_raw(cri_line(log.now(), b"the end of another line"))
    log.write(kept(2))
    following.files.expire_listing()
    following.look()
    following.follower.give_up(following.files.tailers[0])
    assert await following.read() == [whole, kept(2)]


async def test_of_a_compressed_file_the_copy_is_read_when_the_original_is_given_up(
    follow: MakeFollowing, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1, 2000))
    following = follow(log.directory)
    assert await following.read() == [kept(1, 2000)]
    log.write(kept(2))
    log.compress(log.rotate())
    log.write(kept(3))
    following.files.expire_listing()
    following.look()
    first, _ = following.files.tailers
    assert first.deleted
    following.follower.give_up(first)
    assert not first.deleted
    assert await following.read() == [kept(2), kept(3)]
    assert not following.files.take_losses()


def held() -> int:
    """The bytes of deleted logs that this process holds open."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if ".log" in os.readlink(entry) and not entry.stat().st_nlink:  # noqa: PTH115
                found += entry.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return found


async def test_in_an_outage_deleted_files_stay_within_their_bound(
    reading: MakeReading, log: LogWriter, kept: Kept
) -> None:
    running: Reading = reading(settles=False, max_in_flight_bytes=MIB, max_deleted_bytes=3 * MIB)
    running.metrics.registry.register(running.status)
    written: list[bytes] = []
    async with running.running():
        for number in range(20):
            lines = [kept(100 * number + line, 10_000) for line in range(100)]
            for line in lines:
                log.write(line)
            written += lines
            inode = log.path.stat().st_ino
            log.rotate(2).unlink(missing_ok=True)
            await running.until(partial(_is_deleted, running, inode))
            assert held() <= 3 * MIB
        assert (running.value("shipper_deleted_bytes") or 0) == held() > MIB
        running.settles = True
        running.settle()
        log.write(kept(-1))
        await running.until_read(kept(-1))
    missing = [line for line in written if line not in set(running.lines)]
    size = len(cri_line(log.now(), b""))
    assert running.value("shipper_files_lost_total")
    assert abs((running.value("shipper_bytes_lost_total") or 0) - sum(len(line) + size for line in missing)) <= len(
        missing
    )


def _is_deleted(running: Reading, inode: int) -> bool:
    return not any(
        tailer.is_listed and tailer.identity[1] == inode
        for follower in running.reader.followers.values()
        for tailer in follower.files.tailers
    )
