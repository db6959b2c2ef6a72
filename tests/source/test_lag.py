"""The lag is what is on the disk and not settled, whether anyone has opened it or not."""

import errno
import gzip
from pathlib import Path

import pytest

from lab.containerd import LogWriter
from shipper.source.tail.handles import Handle, PlainFile, open_log, size_at
from shipper.source.tail.listing import Listing
from shipper.source.tail.names import LogName
from tests.source.reading import Kept, MakeFollowing, MakeReading, Reading

LABELS = {"namespace": "shop", "pod": "payment-service-7d4b9c6f5d-x2x7k", "container": "istio-proxy"}
BIG = 8000  # bytes of a line


def on_disk(log: LogWriter) -> int:
    """The bytes of all its files, as they were written."""
    return sum(len(gzip.decompress(data)) if data[:2] == b"\x1f\x8b" else len(data)
               for data in (path.read_bytes() for path in log.directory.iterdir()))  # fmt: skip


def lag(running: Reading) -> float | None:
    return running.value("shipper_lag_bytes", **LABELS)


async def test_the_lag_of_a_paused_log_grows_with_it(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    for number in range(300):
        log.write(kept(number, BIG))
    running = reading(settles=False, max_in_flight_bytes=1 << 20)
    running.metrics.registry.register(running.status)
    async with running.running():
        await running.until(lambda: running.reader.paused)
        assert lag(running) == on_disk(log)
        for number in range(300, 500):
            log.write(kept(number, BIG))
        assert lag(running) == on_disk(log)  # nobody has looked meanwhile


async def test_files_that_came_while_a_log_was_paused_are_seen(
    reading: MakeReading, log: LogWriter, kept: Kept
) -> None:
    for number in range(300):
        log.write(kept(number, BIG))
    running = reading(settles=False, max_in_flight_bytes=1 << 20)
    running.metrics.registry.register(running.status)
    async with running.running():
        await running.until(lambda: running.reader.paused)
        (follower,) = running.reader.followers.values()
        for number in range(3):
            log.rotate()
            for line in range(100):
                log.write(kept(1000 * number + line, BIG))
        await running.until(lambda: len(follower.files.tailers) == 4)
        assert lag(running) == on_disk(log)


async def test_files_of_a_start_that_were_not_opened_yet_are_seen(
    follow: MakeFollowing, log: LogWriter, kept: Kept
) -> None:
    for number in range(4):
        for line in range(20):
            log.write(kept(100 * number + line, BIG))
        log.rotate()
    assert [path.suffix for path in log.rotated()].count(".gz") == 3
    following = follow(log.directory)
    assert following.files.unsettled() == sum(path.stat().st_size for path in log.directory.iterdir())  # not listed yet
    following.look()
    assert following.files.unsettled() == on_disk(log)
    following.files.close()
    assert following.files.unsettled() == on_disk(log)
    (*_, last) = (following.files.size(tailer) for tailer in following.files.tailers)
    assert last == 0


async def test_what_is_settled_is_no_lag_and_what_was_appended_to_a_closed_file_is(
    follow: MakeFollowing, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1, BIG))
    log.compress(log.rotate())
    log.write(kept(2, BIG))
    following = follow(log.directory)
    await following.read()
    following.settle()
    assert following.files.unsettled() == 0
    following.files.release_idle()
    before = log.path.stat().st_size
    log.write(kept(3, BIG))
    assert following.files.unsettled() == log.path.stat().st_size - before


async def test_a_file_that_may_not_be_read_is_lag(follow: MakeFollowing, log: LogWriter, kept: Kept) -> None:
    def forbidden(path: str, name: LogName) -> Handle:
        if not name.rotated:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_log(path, name)

    log.write(kept(1, BIG))
    log.rotate()
    log.write(kept(2, BIG))
    following = follow(log.directory, open_log=forbidden)
    await following.read()
    following.settle()
    assert following.files.unsettled() == log.path.stat().st_size
    log.write(kept(3, BIG))
    assert following.files.unsettled() == log.path.stat().st_size


async def test_a_copy_is_no_lag(follow: MakeFollowing, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1, BIG))
    following = follow(log.directory)
    await following.read()
    following.settle()
    (log.directory / "0.log.1").write_bytes(log.path.read_bytes())
    following.files.expire_listing()
    following.look()
    following.files.expire_listing()
    assert following.files.unsettled() == 0


async def test_a_deleted_file_that_is_held_is_lag_until_it_is_settled(
    follow: MakeFollowing, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1, BIG))
    size = log.path.stat().st_size
    following = follow(log.directory)
    following.look()
    log.rotate().unlink()
    following.files.expire_listing()
    following.look()
    assert following.files.unsettled() == size
    await following.read()
    following.settle()
    assert following.files.unsettled() == 0


async def test_a_damaged_gzip_is_no_lag_for_ever(follow: MakeFollowing, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1, BIG))
    compressed = log.compress(log.rotate())
    compressed.write_bytes(compressed.read_bytes()[:-100] + b"\xff" * 20)
    following = follow(log.directory)
    await following.read()
    following.settle()
    assert following.files.unsettled() <= BIG + 100


def test_the_size_of_a_closed_log_is_that_of_its_plain_content(tmp_path: Path) -> None:
    (tmp_path / "0.log.gz").write_bytes(gzip.compress(b"x" * 100_000))
    (tmp_path / "0.log").write_bytes(b"x" * 100)
    (tmp_path / "0.log.1.gz").write_bytes(b"\x1f\x8b")
    sizes = {
        one.name.text: size_at(str(tmp_path / one.name.text), one.name, one.identity)
        for one in Listing(str(tmp_path)).shown(None, 0.0).files
    }
    assert sizes.pop("0.log.1.gz") <= 2 * 1032
    assert sizes == {"0.log": 100, "0.log.gz": 100_000}


def test_the_size_of_another_file_is_not_taken_for_that_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"old")
    handle = PlainFile(str(path))
    path.rename(tmp_path / "0.log.1")
    path.write_bytes(b"new one")
    name = LogName.parse("0.log")
    assert name
    try:
        assert handle.size_on_disk() == 3
        with pytest.raises(FileNotFoundError):
            size_at(str(path), name, handle.identity)
    finally:
        handle.close()
