"""Writes a small file so that a crash leaves the old content or the new one.

It is replaced. A file that is a mount of its own, or whose directory may not be written, is written in place: the new
line behind the old one, then over it. So at each moment the file holds one of them whole.
"""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

_OF_THE_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO})  # another way to write is no help
_NO_FSYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF})  # the file system knows none
_NEWLINE: Final = b"\n"


def write_line(path: Path, line: bytes) -> None:
    """Make this line, which holds no newline, the file's content; a link to the file stays one. Raises OSError."""
    real = Path(os.path.realpath(path))
    if _is_mount(real):
        _write_in_place(real, line)
        return
    try:
        _replace(real, line)
    except OSError as error:
        if error.errno in _OF_THE_DISK or not real.is_file():
            raise
        try:
            _write_in_place(real, line)
        except OSError:
            raise error from None


def lines_newest_first(text: bytes) -> list[bytes]:
    """The lines of such a file: the first one that is whole is its content."""
    return [line for line in reversed(text.split(_NEWLINE)) if line.strip()]


def _is_mount(path: Path) -> bool:
    """Whether a file is mounted from another file system than its directory is of."""
    try:
        status = path.stat()
        return stat.S_ISREG(status.st_mode) and status.st_dev != path.parent.stat().st_dev
    except OSError:
        return False


def _replace(path: Path, line: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    temporary.unlink(missing_ok=True)  # what a crash left may belong to another user
    try:
        with temporary.open("xb") as file:
            file.write(line)
            file.flush()
            _sync(file.fileno())
        temporary.replace(path)  # a crash leaves the old file or the new one, never half
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_directory(path.parent)


def _write_in_place(path: Path, line: bytes) -> None:
    """The file must be there: then it keeps its owner and its mode."""
    file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(file).st_size
        start = max(size, len(line)) + 1  # of the copy: room for the line before it
        try:
            _write_all(file, _NEWLINE * (start - size) + line + _NEWLINE, size)
            _sync(file)
        except OSError:
            os.ftruncate(file, size)
            raise
        _write_all(file, line + _NEWLINE, 0)
        _sync(file)  # before the copy goes
        os.ftruncate(file, len(line) + 1)
        _sync(file)
    finally:
        os.close(file)


def _write_all(file: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


def _sync(file: int) -> None:
    """As safe as the file system can make it: not each knows fsync for each kind of file."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in _NO_FSYNC:
            raise


def _sync_directory(path: Path) -> None:
    """Make the new name last. The file is written whatever comes of it, so only what the disk says counts."""
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            raise
