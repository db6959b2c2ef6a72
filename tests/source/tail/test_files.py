"""Listings held against files; nothing is read but what tells them apart."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from shipper.source.tail.files import Files
from shipper.source.tail.handles import Handle, OpenLog, open_log
from shipper.source.tail.look_back import StartPolicy
from shipper.source.tail.losses import Losses
from shipper.source.tail.names import LogName
from shipper.source.tail.saved import SavedFile

CONTENT = b"2026-11-23T10:30:00.1234567Z stdout F a line that is like no other\n"
ALL = StartPolicy(float("inf"))

Make = Callable[..., Files]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes the files of a directory, and closes them."""
    made: list[Files] = []

    def make(saved: Sequence[SavedFile] = (), open_log: OpenLog = open_log) -> Files:
        made.append(Files(str(tmp_path), None, saved, ALL, open_log))
        return made[-1]

    yield make
    for files in made:
        files.close()


def names(files: Files) -> list[str]:
    return [tailer.name.text for tailer in files.tailers]


async def read_all(files: Files) -> None:
    buffer = memoryview(bytearray(1 << 12))
    for tailer in files.tailers:
        while tailer.may_have_more:
            await files.read(tailer, buffer, len(buffer), 0.0)


def test_files_are_in_the_order_of_their_age(make: Make, tmp_path: Path) -> None:
    for name in ("1.log", "0.log.20260101-000000", "0.log"):
        (tmp_path / name).write_bytes(name.encode() + CONTENT)
    files = make()
    assert files.must_list
    assert files.refresh(0.0)
    assert names(files) == ["0.log.20260101-000000", "0.log", "1.log"]
    assert not files.must_list


def test_a_renamed_file_stays_the_same(make: Make, tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    (before,) = files.tailers
    (tmp_path / "0.log").rename(tmp_path / "0.log.1")
    (tmp_path / "0.log").write_bytes(b"another " + CONTENT)
    files.refresh(1.0)
    assert names(files) == ["0.log.1", "0.log"]
    assert files.tailers[0] is before


@pytest.mark.parametrize("copy", ["0.log.1", "0.log.1.gz"])
def test_a_copy_of_a_file_that_is_there_is_no_file_of_its_own(make: Make, tmp_path: Path, copy: str) -> None:
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    (tmp_path / copy).write_bytes(gzip.compress(CONTENT) if copy.endswith(".gz") else CONTENT)
    files.refresh(0.0)
    assert names(files) == ["0.log"]


def test_an_empty_rotated_file_is_left_until_its_first_bytes_tell(make: Make, tmp_path: Path) -> None:
    (tmp_path / "0.log.1").touch()
    files = make()
    files.refresh(0.0)
    assert files.tailers == []
    (tmp_path / "0.log.1").write_bytes(CONTENT)
    files.refresh(0.0)
    assert names(files) == ["0.log.1"]


async def test_a_compressed_file_goes_on_where_the_plain_one_was_left(make: Make, tmp_path: Path) -> None:
    (tmp_path / "0.log.1").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    await read_all(files)
    files.release_idle()
    (before,) = files.tailers
    (tmp_path / "0.log.1.gz").write_bytes(gzip.compress(CONTENT * 2))
    (tmp_path / "0.log.1").unlink()
    files.refresh(1.0)
    assert files.tailers == [before]
    assert (before.name.text, before.read_offset) == ("0.log.1.gz", len(CONTENT))


async def test_a_deleted_file_is_kept_while_it_is_open(make: Make, tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    (tmp_path / "0.log").unlink()
    files.refresh(1.0)
    (deleted,) = files.tailers
    await read_all(files)
    assert (deleted.is_listed, deleted.read_offset) == (False, len(CONTENT))
    files.finish(deleted)
    assert files.tailers == []
    assert files.take_losses() is None


def test_what_was_deleted_before_it_was_read_is_lost(make: Make, tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    saved = files.to_save()
    (tmp_path / "0.log").unlink()
    restarted = make(saved)
    restarted.refresh(0.0)
    assert restarted.take_losses() == Losses(files=1, bytes=len(CONTENT))
    assert restarted.take_losses() is None


async def test_a_truncated_file_asks_for_a_listing_and_is_begun_anew(make: Make, tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    await read_all(files)
    (tmp_path / "0.log").write_bytes(b"short\n")
    files.wrote("0.log")
    await read_all(files)
    assert files.must_list
    assert files.take_losses() == Losses(truncated=1)
    files.refresh(1.0)
    (anew,) = files.tailers
    assert (anew.read_offset, anew.may_have_more) == (0, True)


async def test_a_write_is_something_to_read_and_one_to_an_unknown_name_asks_for_a_listing(
    make: Make, tmp_path: Path
) -> None:
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    await read_all(files)
    assert not files.has_work
    files.wrote("0.log")
    assert (files.has_work, files.must_list) == (True, False)
    files.wrote("1.log")
    assert files.must_list


def test_a_directory_that_changes_while_it_is_listed_is_told(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(CONTENT)

    def renaming(opened: str, name: LogName) -> Handle:
        path.rename(tmp_path / "0.log.1")
        return open_log(opened, name)

    files = make(open_log=renaming)
    assert not files.refresh(0.0)
    assert not files.must_list  # when to list again is the caller's to say


def test_a_directory_that_cannot_be_listed_is_left_until_something_happens(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    files = Files(str(tmp_path / "loop"), None, (), ALL)
    with pytest.raises(OSError, match="symbolic links"):
        files.refresh(0.0)
    assert not files.must_list


def test_a_link_is_told_for_its_directory_does_not_show_that_it_grows(make: Make, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    (tmp_path / "0.log").symlink_to(tmp_path / "elsewhere")
    files = make()
    (tmp_path / "1.log").symlink_to(tmp_path / "nowhere")
    files.refresh(0.0)
    status = (tmp_path / "elsewhere").stat()
    assert files.links == {"0.log": (status.st_dev, status.st_ino), "1.log": None}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("0.log.1.xz", b"\xfd7zXZ\0..."),
        ("0.log.1.bz2", b""),
        ("0.log-20261129.zst", b"anything"),
        ("0.log.1", b"BZh91AY&SY..."),
        ("0.log.1", gzip.compress(CONTENT)),
    ],
)
async def test_what_is_compressed_in_another_way_is_said_once_and_passed_over(
    make: Make, tmp_path: Path, name: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    for _ in range(3):
        files.refresh(0.0)
    assert names(files) == ["0.log"]
    assert caplog.text.count(f"{name} is compressed in a way that is not read, and is passed over") == 1


async def test_a_log_that_begins_like_compressed_data_is_a_log(make: Make, tmp_path: Path) -> None:
    (tmp_path / "0.log").write_bytes(b"BZh, said the first line\n")
    files = make()
    files.refresh(0.0)
    assert names(files) == ["0.log"]


@pytest.mark.parametrize("rotated", ["0.log-20261129", "0-20261129.log", "0.log_2026-11-29"])
async def test_a_file_with_a_date_in_its_name_is_the_log_that_it_was(make: Make, tmp_path: Path, rotated: str) -> None:
    (tmp_path / "0.log").write_bytes(CONTENT)
    files = make()
    files.refresh(0.0)
    await read_all(files)
    saved = files.to_save()
    files.close()
    (tmp_path / "0.log").rename(tmp_path / rotated)
    with (tmp_path / rotated).open("ab") as file:
        file.write(b"the unread rest\n")
    (tmp_path / "0.log").write_bytes(b"another " + CONTENT)
    again = make(saved)
    again.refresh(0.0)
    assert names(again) == [rotated, "0.log"]
    assert [again.tailers[0].identity] == [(file.device, file.inode) for file in saved]
    assert again.take_losses() is None
