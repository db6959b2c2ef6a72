"""Positions as people mount them, and crashes within a write."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.metrics import Metrics
from shipper.source.positions.file import Positions, SavedTarget
from shipper.source.positions.writing import lines_newest_first, write_line

MOUNTS = shutil.which("unshare") is not None and not subprocess.run(["unshare", "-Urm", "true"], check=False).returncode
REPLACES_A_MOUNT = """
import os, subprocess, sys
from pathlib import Path
from shipper.source.positions.writing import write_line
source, path = map(Path, sys.argv[1:])
subprocess.run(["mount", "--bind", source, path], check=True)
write_line(path, b"new")
write_line(path, b"newest")
print(path.read_bytes(), path.stat().st_ino == source.stat().st_ino, sorted(os.listdir(path.parent)))
"""


class Crash(BaseException):
    """The process ends here."""


def make_irreplaceable(path: Path) -> None:
    """Stands for a directory that may not be written, which root always may."""
    path.with_name(path.name + ".tmp").mkdir()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "positions.json"


def test_a_file_is_replaced(path: Path) -> None:
    path.write_bytes(b"old\n")
    before = path.stat().st_ino
    write_line(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("relative", [True, False])
def test_a_link_stays_one(path: Path, relative: bool) -> None:
    real = path.parent / "elsewhere" / "real.json"
    real.parent.mkdir()
    path.symlink_to("elsewhere/real.json" if relative else real)
    for line in (b"first", b"second"):
        write_line(path, line)
        assert path.is_symlink()
        assert real.read_bytes() == line
    assert list(real.parent.iterdir()) == [real]


def test_a_link_to_a_link_stays_one(path: Path) -> None:
    real, middle = path.with_name("real"), path.with_name("middle")
    middle.symlink_to("real")
    path.symlink_to("middle")
    write_line(path, b"new")
    assert path.is_symlink()
    assert middle.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_damaged_file_behind_a_link_is_set_aside_and_the_link_stays(path: Path) -> None:
    real = path.with_name("real.json")
    real.write_bytes(b"broken")
    path.symlink_to(real.name)
    assert Positions(path, Metrics()).load() == {}
    assert path.is_symlink()
    (aside,) = path.parent.glob("real.json.unreadable-*")
    assert aside.read_bytes() == b"broken"


@pytest.mark.skipif(not MOUNTS, reason="no mount namespace may be made here")
def test_a_file_that_is_mounted_by_itself_is_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    source, path = tmp_path / "source", tmp_path / "directory" / "positions.json"
    source.write_bytes(b"old")
    path.touch()
    command = ["unshare", "-Urm", sys.executable, "-c", REPLACES_A_MOUNT, str(source), str(path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told == "b'newest\\n' True ['positions.json']\n"
    assert source.read_bytes() == b"newest\n"


@pytest.mark.parametrize("old", [b"", b"old", b"older and longer\n", b"broken\n\n"])
def test_what_cannot_be_replaced_is_written_in_place(path: Path, old: bytes) -> None:
    path.write_bytes(old)
    before = path.stat().st_ino
    make_irreplaceable(path)
    for line in (b"new", b"a longer one", b"short"):
        write_line(path, line)
        assert path.read_bytes() == line + b"\n"
    assert path.stat().st_ino == before


def test_what_cannot_be_written_in_place_either_tells_why_it_cannot_be_replaced(path: Path) -> None:
    make_irreplaceable(path)
    with pytest.raises(OSError, match=r"positions\.json\.tmp"):
        write_line(path, b"new")


def test_a_full_disk_leaves_what_is_written_in_place_as_it_was(path: Path) -> None:
    path.write_bytes(b"old\n")
    make_irreplaceable(path)
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch("os.fsync", side_effect=full), pytest.raises(OSError, match=r"tmp|No space"):
        write_line(path, b"new")
    assert path.read_bytes() == b"old\n"


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.integers(0, 40))
def test_a_crash_within_a_write_in_place_leaves_the_old_or_the_new(
    tmp_path_factory: pytest.TempPathFactory, old_size: int, new_size: int, reached: int, later_size: int
) -> None:
    path = tmp_path_factory.mktemp("positions") / "positions.json"
    positions = Positions(path, Metrics())
    old, new, later = (
        {"a": SavedTarget({"app": letter * size})}
        for letter, size in (("o", old_size), ("n", new_size), ("l", later_size))
    )
    texts = {
        size: b'{"version":1,"targets":{"a":%b}}' % bytes(one["a"].encoded())
        for size, one in enumerate((old, new, later))
    }
    path.write_bytes(texts[0])
    make_irreplaceable(path)
    real, left = os.pwrite, reached

    def crashes(file: int, data: memoryview, offset: int) -> int:
        nonlocal left
        written = real(file, data[: min(left, 7)], offset)  # a short one, as a disk may make it
        left -= written
        if not left:
            raise Crash
        return written

    with mock.patch("os.pwrite", crashes):
        try:
            write_line(path, texts[1])
        except Crash:
            assert positions.load() in (old, new)
        else:
            assert positions.load() == new
    write_line(path, texts[2])
    assert path.read_bytes() == texts[2] + b"\n"
    assert positions.load() == later


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_knows_no_fsync_of_directories_fails_no_save(path: Path, number: int) -> None:
    real = os.fsync

    def fsync(file: int) -> None:
        if Path(f"/proc/self/fd/{file}").resolve() == path.parent:
            raise OSError(number, os.strerror(number))
        real(file)

    with mock.patch("os.fsync", fsync):
        write_line(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_directory_that_may_not_be_read_fails_no_save(path: Path) -> None:
    real = os.open

    def opens(name: Path, flags: int, *more: int) -> int:
        if flags & os.O_DIRECTORY:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, flags, *more)

    with mock.patch("os.open", opens):
        write_line(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_disk_that_fails_when_the_directory_is_synced_fails_the_save(path: Path) -> None:
    with (
        mock.patch("os.fsync", side_effect=[None, OSError(errno.EIO, "Input/output error")]),
        pytest.raises(OSError, match="Input/output error"),
    ):
        write_line(path, b"new")


def test_what_a_crash_left_beside_the_file_is_in_nobodys_way(path: Path) -> None:
    os.mkfifo(path.with_name("positions.json.tmp"))  # to open it would block for ever
    write_line(path, b"new")
    assert path.read_bytes() == b"new"


def test_lines_are_given_newest_first_and_none_is_empty() -> None:
    assert lines_newest_first(b"old\n\n\nnew\n") == [b"new", b"old"]
