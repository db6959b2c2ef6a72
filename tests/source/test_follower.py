"""Scenarios of one target's log, read by a Follower whose time is given."""

import errno
import gzip
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lab.containerd import LogWriter, cri_line
from shipper.pipeline.partial import FULL_PART
from shipper.source.tail.handles import Handle, PlainFile, open_log
from shipper.source.tail.look_back import StartPolicy
from shipper.source.tail.names import LogName
from shipper.source.timing import Timing
from tests.source.reading import Following, Kept

QUIET, PARTIAL_QUIET = Timing().quiet, Timing().partial_quiet
CUT_QUIET, CUT_QUIET_IN_LINE = Timing().cut_quiet, Timing().cut_quiet_in_line
LONG_AGO = 60.0  # seconds: longer than a file must be quiet that has a successor
BIG = 3 << 18  # more than is unpacked of a .gz at a time


@pytest.fixture
def other(kept: Kept) -> bytes:
    return kept(-1).replace(b"UT", b"-")


# -- growth


async def test_growth_is_read_once(following: Following, log: LogWriter, kept: Kept, other: bytes) -> None:
    assert await following.read() == []
    log.write(kept(1))
    log.write(other)
    assert await following.read() == [kept(1)]
    log.write(kept(2))
    assert await following.read() == [kept(2)]
    assert await following.read(LONG_AGO) == []
    ledger = following.follower.ledger
    assert (ledger.read, ledger.filtered.total(), ledger.pending) == (3, 1, 2)


async def test_what_was_written_since_the_listing_is_read_when_it_is_noted(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    await following.read()
    log.write(kept(1))
    assert await following.read_noted() == []
    following.files.wrote("0.log")
    assert not following.files.must_list
    assert await following.read_noted() == [kept(1)]


async def test_a_name_that_is_not_known_makes_it_look(following: Following, log: LogWriter, kept: Kept) -> None:
    await following.read()
    log.restart()
    log.write(kept(1))
    following.files.wrote("1.log")
    assert await following.read_noted() == [kept(1)]


async def test_an_unfinished_line_waits_however_long(following: Following, log: LogWriter, kept: Kept) -> None:
    line = cri_line(log.now(), kept(1))
    log.write_raw(line[:-20])
    assert await following.read() == []
    assert await following.read(LONG_AGO) == []
    log.write_raw(line[-20:])
    assert await following.read() == [kept(1)]


async def test_a_line_longer_than_the_buffer_is_counted_and_the_next_is_read(
    follow: Callable[..., Following], log: LogWriter, kept: Kept
) -> None:
    following = follow(log.directory, buffer=4096)
    log.write_raw(cri_line(log.now(), kept(1)) + cri_line(log.now(), kept(2, 20_000)) + cri_line(log.now(), kept(3)))
    assert await following.read() == [kept(1), kept(3)]
    assert following.follower.ledger.dropped == {"line_too_long": 1}
    following.settle()
    assert following.committed == {"0.log": log.path.stat().st_size}


# -- truncation


async def test_a_truncated_file_is_read_from_its_beginning(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    assert await following.read() == [kept(1)]
    log.truncate()
    assert await following.read() == []
    log.write(kept(2))
    assert await following.read() == [kept(2)]


async def test_a_file_truncated_and_regrown_beyond_what_was_read_is_read_from_its_beginning(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1))
    await following.read()
    log.truncate()
    for number in range(2, 5):
        log.write(kept(number))
    assert await following.read() == [kept(2), kept(3), kept(4)]


async def test_a_file_truncated_while_the_agent_was_down_is_read_from_its_beginning(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1))
    await following.read()
    following.settle()
    log.truncate()
    log.write(kept(2))
    log.write(kept(3))
    assert await following.restart().read() == [kept(2), kept(3)]


async def test_answers_for_what_stood_before_a_truncation_do_not_move_the_new_position(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1))
    log.write(kept(2))
    await following.read()
    log.truncate()
    log.write(kept(3))
    await following.read()
    following.settle(following.unsettled[:1])
    assert following.committed == {"0.log": 0}
    following.settle()
    assert following.committed == {"0.log": log.path.stat().st_size}


@pytest.mark.parametrize("looks", ["at every step", "at the end", "after the copy"])
async def test_copytruncate_loses_nothing_of_what_the_copy_holds(
    following: Following, log: LogWriter, kept: Kept, looks: str
) -> None:
    log.write(kept(1))
    assert await following.read() == [kept(1)]
    log.write(kept(2))  # unread: only the copy will hold it
    shutil.copy(log.path, log.directory / "0.log.1")
    lines = [] if looks == "at the end" else await following.read()
    log.truncate()
    lines += await following.read() if looks == "at every step" else []
    log.write(kept(3))
    assert lines + await following.read() == [kept(2), kept(3)]
    assert await following.read(LONG_AGO) == []


async def test_a_copy_in_the_making_is_not_read_twice(following: Following, log: LogWriter, kept: Kept) -> None:
    for number in range(9):
        log.write(kept(number, 1 << 16))
    await following.read()
    copy = log.directory / "0.log.1"
    for size in (0, 1 << 17, 1 << 18, log.path.stat().st_size):
        copy.write_bytes(log.path.read_bytes()[:size])
        assert await following.read() == []
    log.truncate()
    assert await following.read(LONG_AGO) == []


async def test_a_log_that_was_written_anew_with_the_same_beginning_is_read_anew(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    for number in range(20):
        log.write(kept(number, 500))
    await following.read()
    shorter = log.directory / "edited"
    shorter.write_bytes(log.path.read_bytes()[:5000].rpartition(b"\n")[0] + b"\n" + cri_line(log.now(), kept(99)))
    shorter.rename(log.path)
    assert (await following.read())[-1] == kept(99)
    assert await following.read(LONG_AGO) == []


async def test_a_few_equal_bytes_do_not_make_the_same_file(follow: Callable[..., Following], tmp_path: Path) -> None:
    line = b'{"response_flags":"UT"}'
    path = tmp_path / "app.log"
    path.write_bytes(line + b"\n")
    following = follow(tmp_path, stem="app")
    assert await following.read() == [line]
    following.files.release_idle()
    (tmp_path / "next").write_bytes(line + b"\n")
    (tmp_path / "next").rename(path)
    assert await following.read() == [line]


# -- rotation


async def test_rename_rotation_loses_nothing(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    await following.read()
    log.write(kept(2))
    log.rotate()
    log.write(kept(3))
    assert await following.read() == [kept(2), kept(3)]


async def test_a_writer_that_is_late_is_heard(following: Following, log: LogWriter, kept: Kept) -> None:
    await following.read()
    renamed = log.rename()
    with renamed.open("ab", buffering=0) as late:
        late.write(cri_line(log.now(), kept(1)))
        assert await following.read(LONG_AGO) == [kept(1)]  # no successor yet
        log.reopen()
        log.write(kept(3))
        assert await following.read(1) == [kept(3)]
        late.write(cri_line(log.now(), kept(2)))
        assert await following.read(QUIET - 1.5) == [kept(2)]
    assert await following.read(LONG_AGO) == []
    assert [tailer.is_open for tailer in following.files.tailers] == [False, True]


async def test_even_a_closed_rotated_file_is_read_when_it_grows(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1))
    await following.read()
    renamed = log.rotate()
    await following.read(LONG_AGO)
    with renamed.open("ab") as late:
        late.write(cri_line(log.now(), kept(2)))
    assert await following.read() == [kept(2)]


async def test_a_rotation_that_is_taken_back_changes_nothing(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    await following.read()
    renamed = log.rename()
    assert await following.read(LONG_AGO) == []
    renamed.rename(log.path)
    log.write(kept(2))
    assert await following.read() == [kept(2)]
    assert [tailer.name.text for tailer in following.files.tailers] == ["0.log"]


async def test_the_unfinished_end_of_a_rotated_file_is_a_line_when_it_is_quiet(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write_raw(cri_line(log.now(), kept(1))[:-1])
    log.rotate()
    log.write(kept(2))
    assert await following.read(QUIET - 1) == []  # what stands in the next file comes after it
    assert await following.read(QUIET) == [kept(1), kept(2)]
    following.settle()
    assert sorted(following.committed.values()) == sorted(path.stat().st_size for path in log.directory.iterdir())


@pytest.mark.parametrize("size", [100, BIG])
@pytest.mark.parametrize("closed", [True, False])
async def test_compressing_the_older_ones_sends_nothing_again(
    following: Following, log: LogWriter, kept: Kept, size: int, closed: bool
) -> None:
    for number in range(6):
        log.write(kept(number, size))
        assert await following.read(LONG_AGO if closed else 0) == [kept(number, size)]
        log.rotate()  # the inode of the one that was compressed is often used again at once
        assert await following.read(LONG_AGO if closed else 0) == []
    assert any(path.suffix == ".gz" for path in log.directory.iterdir())
    assert await following.read(LONG_AGO) == []
    assert len(following.files.tailers) == len(list(log.directory.iterdir()))


@pytest.mark.parametrize("sees_both", [True, False])
async def test_a_file_that_had_to_wait_is_not_taken_for_another_when_it_is_compressed(
    following: Following, log: LogWriter, kept: Kept, sees_both: bool
) -> None:
    """While Loki is away a target is looked at, and not read."""
    look = following.look
    look()  # it is empty, so nothing is known of it
    for number in range(3):
        log.write(kept(number, 500))
    renamed = log.rename()
    log.reopen()
    if sees_both:
        (log.directory / f"{renamed.name}.gz").write_bytes(gzip.compress(renamed.read_bytes()))
        look()
        renamed.unlink()
    else:
        log.compress(renamed)
    look()
    assert await following.read() == [kept(number, 500) for number in range(3)]
    assert await following.read(LONG_AGO) == []


async def test_the_unread_rest_of_a_file_is_read_from_its_compressed_copy(
    follow: Callable[..., Following], log: LogWriter, kept: Kept
) -> None:
    following = follow(log.directory)
    log.write(kept(1, BIG))
    assert await following.read() == [kept(1, BIG)]
    following.settle()
    saved = following.saved
    log.write(kept(2, BIG))
    log.rotate()
    log.write(kept(3))
    log.rotate()
    log.write(kept(4))
    assert await following.restart(saved).read() == [kept(2, BIG), kept(3), kept(4)]


async def test_rotations_while_the_agent_was_down_are_read_in_order(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(0))
    await following.read()
    following.settle()
    for number in range(1, 10, 2):
        log.write(kept(number))
        log.rotate(max_files=20)
        log.write(kept(number + 1))
    restarted = following.restart()
    assert await restarted.read() == [kept(number) for number in range(1, 11)]
    assert await restarted.read(LONG_AGO) == []


async def test_a_restart_after_rotations_sends_nothing_again(following: Following, log: LogWriter, kept: Kept) -> None:
    for number in range(4):
        log.write(kept(number, BIG))
        await following.read(LONG_AGO)
        log.rotate()
    await following.read(LONG_AGO)
    following.settle()
    for _ in range(2):
        following = following.restart()
        assert await following.read() == []
        assert await following.read(LONG_AGO) == []
        log.rotate()


async def test_a_damaged_gzip_holds_up_nobody(
    following: Following, log: LogWriter, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    (log.directory / "0.log.20200101-000000.gz").write_bytes(gzip.compress(b"x" * 99)[:9])
    log.write(kept(1))
    assert await following.read() == [kept(1)]
    assert await following.read(LONG_AGO) == []
    assert caplog.text.count("cannot read") == 1


# -- deletion


async def test_what_was_not_read_of_a_deleted_file_is_read(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    await following.read()
    log.write(kept(2))
    log.delete()
    assert await following.read() == [kept(2)]
    assert following.saved.files == []
    assert await following.read(LONG_AGO) == []
    assert following.files.tailers == []
    following.settle()
    assert following.follower.is_done


async def test_the_unfinished_end_of_a_deleted_file_is_a_line(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write_raw(cri_line(log.now(), kept(1))[:-1])
    assert await following.read() == []
    log.delete()
    assert await following.read(LONG_AGO) == [kept(1)]


async def test_a_file_deleted_before_it_was_read_is_said(
    following: Following, log: LogWriter, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    log.write(kept(1))
    await following.read()
    following.settle()
    saved = following.saved
    log.write(kept(2))
    restarted = following.restart(saved)
    restarted.files.tailers[0].size = log.path.stat().st_size
    log.delete()
    assert await restarted.read() == []
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "was deleted before it was fully read" in caplog.text


async def test_an_inode_that_is_used_again_is_another_file(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    await following.read()
    following.settle()
    following.files.close()
    inode = log.path.stat().st_ino
    log.close()
    log.path.write_bytes(b"")  # the same inode, as a new file would have it
    log.path.rename(log.directory / "1.log")
    with (log.directory / "1.log").open("ab") as file:
        file.write(cri_line(log.now(), kept(2)) + cri_line(log.now(), kept(3)))
    assert (log.directory / "1.log").stat().st_ino == inode
    assert await following.restart().read() == [kept(2), kept(3)]


# -- containers


async def test_a_container_that_starts_again_is_followed(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    log.restart()
    log.write(kept(2))
    assert await following.read() == [kept(1), kept(2)]


async def test_a_partial_line_of_a_dead_container_is_a_line_and_not_the_next_ones(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1), tag="P")
    assert await following.read() == []
    log.restart()
    log.write(kept(2))
    assert await following.read(PARTIAL_QUIET / 2) == []
    assert await following.read(PARTIAL_QUIET) == [kept(1), kept(2)]
    following.settle()
    assert set(following.committed.values()) == {path.stat().st_size for path in log.directory.iterdir()}


async def test_a_partial_line_spans_a_rotation(following: Following, log: LogWriter, kept: Kept) -> None:
    line = kept(1, 40_000)
    first, rest = line[:20_000], line[20_000:]
    at = log.now()
    log.write_raw(cri_line(at, first, tag="P"))
    assert await following.read() == []
    log.rotate()
    log.write_raw(cri_line(log.now(), rest))
    log.write(kept(2))
    assert await following.read(LONG_AGO) == [line, kept(2)]
    assert following.parts[0].unpacked().times[0] == at


async def test_a_partial_line_holds_its_position_over_a_rotation_and_a_restart(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(0))
    before = log.path.stat().st_size
    line = kept(1, 40_000)
    log.write_raw(cri_line(log.now(), line[:20_000], tag="P"))
    await following.read()
    renamed = log.rotate()
    await following.read(LONG_AGO)
    following.settle()
    assert following.committed == {renamed.name: before, "0.log": 0}
    log.write_raw(cri_line(log.now(), line[20_000:]))
    restarted = following.restart()
    assert await restarted.read(LONG_AGO) == [line]
    restarted.settle()
    assert restarted.committed == {path.name: path.stat().st_size for path in log.directory.iterdir()}


async def test_a_last_partial_line_is_a_line_when_the_log_is_gone(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1), tag="P")
    await following.read()
    log.delete()
    assert await following.read(LONG_AGO) == [kept(1)]


def all_read(log: LogWriter) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in log.directory.iterdir()}


async def test_the_last_words_of_a_container_are_a_line_when_it_has_been_quiet(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1))
    log.write(kept(2), tag="P")  # it ended without a newline
    assert await following.read() == [kept(1)]
    assert await following.read(CUT_QUIET - 1) == []
    assert following.follower.is_waiting
    assert await following.read(1) == [kept(2)]
    following.settle()
    assert following.committed == all_read(log)
    assert not following.follower.is_waiting
    assert await following.restart().read(CUT_QUIET) == []


async def test_growth_makes_the_last_words_wait_anew(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1), tag="P")
    assert await following.read() == []
    log.write(kept(2), stream="stderr")
    assert await following.read(CUT_QUIET - 1) == [kept(2)]
    assert await following.read(1) == []
    assert await following.read(CUT_QUIET) == [kept(1)]


async def test_last_words_that_a_dead_agent_has_seen_are_no_less_a_line(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1), tag="P")
    assert await following.read() == []
    restarted = following.restart()
    assert await restarted.read() == []
    assert await restarted.read(CUT_QUIET) == [kept(1)]


async def test_a_full_part_waits_longer_for_its_rest(following: Following, log: LogWriter, kept: Kept) -> None:
    line = kept(1, 2 * FULL_PART)
    log.write(line[:FULL_PART], tag="P")
    assert await following.read() == []
    assert await following.read(CUT_QUIET_IN_LINE - 1) == []
    assert following.follower.ledger.read == 0
    log.write(line[FULL_PART:])
    assert await following.read() == [line]


async def test_a_run_that_shall_end_waits_for_no_last_words(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1), tag="P")
    following.follower.drain()
    assert await following.read() == [kept(1)]


@pytest.mark.parametrize("parts", [2, 3])
@pytest.mark.parametrize("size", [100, 2 * FULL_PART])
async def test_the_rest_that_comes_after_all_makes_the_line_whole(
    following: Following, log: LogWriter, kept: Kept, parts: int, size: int
) -> None:
    line, half = kept(1, size), size // 2
    at = log.now()
    log.write(line[:half], tag="P", nanos=at)
    await following.read()
    assert await following.read(CUT_QUIET_IN_LINE) == []
    ledger = following.follower.ledger
    assert (ledger.read, ledger.filtered) == (1, {"malformed": 1})
    for part in range(1, parts):
        end = half + part * half // (parts - 1) if part < parts - 1 else len(line)
        log.write(line[half + (part - 1) * half // (parts - 1) : end], tag="P" if part < parts - 1 else "F")
    log.write(kept(2))
    assert await following.read() == [line, kept(2)]
    assert following.parts[0].unpacked().times[0] == at
    following.settle()
    assert (ledger.read, ledger.filtered.total(), ledger.sent, ledger.pending) == (3, 1, 2, 0)
    assert following.committed == all_read(log)


async def test_what_begins_like_a_line_is_no_rest(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1)[:20], tag="P")
    await following.read()
    await following.read(CUT_QUIET)
    log.write(kept(2))
    log.write(kept(3))
    assert await following.read() == [kept(2), kept(3)]
    ledger = following.follower.ledger
    assert (ledger.read, ledger.filtered.total(), ledger.pending) == (3, 1, 2)


async def test_the_log_of_the_next_container_holds_no_rest(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1)[:20], tag="P")
    await following.read()
    await following.read(CUT_QUIET)
    log.restart()
    log.write(kept(1)[20:])
    log.write(kept(2))
    assert await following.read(LONG_AGO) == [kept(2)]
    ledger = following.follower.ledger
    assert (ledger.read, ledger.filtered.total(), ledger.pending) == (3, 2, 1)


# -- what cannot be read


async def test_an_unreadable_file_is_said_once_and_read_when_it_can_be(
    follow: Callable[..., Following], log: LogWriter, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    forbidden = {"0.log"}

    def guarded(path: str, name: LogName) -> Handle:
        if name.text in forbidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_log(path, name)

    following = follow(log.directory, open_log=guarded)
    log.write(kept(1))
    for _ in range(3):
        assert await following.read() == []
    assert caplog.text.count("cannot read") == 1
    forbidden.clear()
    assert await following.read() == [kept(1)]


async def test_a_file_that_vanishes_while_it_is_opened_is_no_trouble(
    follow: Callable[..., Following], log: LogWriter, caplog: pytest.LogCaptureFixture
) -> None:
    def vanishing(path: str, name: LogName) -> Handle:
        log.delete()
        return open_log(path, name)

    following = follow(log.directory, open_log=vanishing)
    assert await following.read() == []
    assert not caplog.records


async def test_a_disk_that_fails_is_tried_again(
    follow: Callable[..., Following], log: LogWriter, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    broken = False

    def preadv(fd: int, buffers: Sequence[memoryview], offset: int, flags: int) -> int:
        if broken:
            raise OSError(errno.EIO, "Input/output error")
        return os.preadv(fd, buffers, offset, flags)

    following = follow(log.directory, open_log=lambda path, _: PlainFile(path, preadv=preadv))
    log.write(kept(1))
    assert await following.read() == [kept(1)]
    log.write(kept(2))
    broken = True
    assert await following.read() == []
    assert "Input/output error" in caplog.text
    broken = False
    assert await following.read() == [kept(2)]


# -- descriptors


async def test_an_idle_file_gives_its_descriptor_back_and_goes_on_when_it_grows(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1))
    await following.read()
    following.files.release_idle()
    assert not following.files.are_open
    assert await following.read(LONG_AGO) == []
    assert not following.files.are_open
    log.write(kept(2))
    following.files.wrote("0.log")
    assert following.files.must_open
    assert await following.read_noted() == [kept(2)]


async def test_a_file_that_was_released_is_found_under_its_new_name(
    following: Following, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1))
    await following.read()
    following.files.release_idle()
    log.write(kept(2))
    log.rotate()
    log.write(kept(3))
    following.files.wrote("0.log")  # it leads to another file by now
    assert await following.read_noted() == [kept(2), kept(3)]


async def test_what_is_not_read_to_its_end_is_not_released(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write_raw(cri_line(log.now(), kept(1))[:-5])
    await following.read()
    following.files.release_idle()
    assert following.files.are_open


# -- plain directories


async def test_a_plain_log_is_rotated_by_numbers(follow: Callable[..., Following], tmp_path: Path, kept: Kept) -> None:
    path = tmp_path / "app.log"
    following = follow(tmp_path, stem="app")
    (tmp_path / "other.log").write_bytes(kept(99) + b"\n")
    path.write_bytes(kept(1) + b"\n")
    assert await following.read() == [kept(1)]
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(kept(2) + b"\n")
    assert await following.read(LONG_AGO) == [kept(2)]
    (tmp_path / "app.log.2.gz").write_bytes(gzip.compress((tmp_path / "app.log.1").read_bytes()))
    (tmp_path / "app.log.1").unlink()
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(kept(3) + b"\n")
    assert await following.read(LONG_AGO) == [kept(3)]


async def test_a_new_log_that_begins_as_the_one_before_is_read(
    follow: Callable[..., Following], tmp_path: Path, kept: Kept
) -> None:
    path = tmp_path / "app.log"
    following = follow(tmp_path, stem="app")
    path.write_bytes(b"".join([kept(1) + b"\n"] * 50))
    assert len(await following.read()) == 50
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(b"".join([kept(1) + b"\n"] * 60))
    assert len(await following.read()) == 60


async def test_a_file_with_two_names_is_read_once(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    os.link(log.path, log.directory / "0.log.1")
    assert await following.read() == [kept(1)]
    assert await following.read(LONG_AGO) == []
    assert len(following.files.tailers) == 1


# -- where to begin, and when it is over


async def test_a_new_agent_reads_only_what_is_young_enough(
    follow: Callable[..., Following], log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1), nanos=10**9)
    log.rotate()
    log.write(kept(2))
    (old,) = log.rotated()
    os.utime(old, (1, 1))
    following = follow(log.directory, start_policy=StartPolicy(3600.0))
    assert await following.read() == [kept(2)]
    following.settle()
    assert following.committed[old.name] == old.stat().st_size
    assert await following.restart(start_policy=StartPolicy(3600.0)).read() == [kept(2)][:0]


async def test_an_old_gzip_is_passed_over_for_good(
    follow: Callable[..., Following], log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1, BIG))
    old = log.compress(log.rotate())
    os.utime(old, (1, 1))
    following = follow(log.directory, start_policy=StartPolicy(3600.0))
    assert await following.read(LONG_AGO) == []
    assert await following.restart().read() == []


async def test_draining_does_not_wait_for_quiet(following: Following, log: LogWriter, kept: Kept) -> None:
    log.write_raw(cri_line(log.now(), kept(1))[:-1])
    log.rotate()
    log.write(kept(2))
    following.follower.drain()
    assert await following.read() == [kept(1), kept(2)]
