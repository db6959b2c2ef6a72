"""An open log file: plain, or gzipped and read as if it were plain.

Offsets are those of the plain content. What is in the page cache is read at once; what is not, in a thread, so that
a slow disk never stops the event loop.
"""

import asyncio
import errno
import gzip
import os
import zlib
from collections.abc import Callable
from typing import Protocol

from shipper.source.tail.fingerprint import HEAD_BYTES

BEYOND = 1 << 62  # an offset after the end of any file
_PIECE = 1 << 18

_open: set[int] = set()  # descriptors of this process's logs
_no_nowait: set[int] = set()  # devices whose file system knows no RWF_NOWAIT (tmpfs, overlayfs)


class Handle(Protocol):
    """An open file."""

    device: int
    inode: int

    def size(self, read: int = 0) -> int:
        """Bytes there are; while nobody knows, as in a gzipped file before its end was seen, more than were `read`."""

    def head(self) -> bytes:
        """The first bytes, 1,024 at most."""

    async def read_into(self, view: memoryview, offset: int) -> int:
        """Fill the view from this offset; the number of bytes, 0 at the end. Raises OSError."""

    def close(self) -> None:
        """Give the descriptor back."""


def open_count() -> int:
    """How many logs are open in this process."""
    return len(_open)


class PlainFile:
    """A file as it is."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _open.add(self._fd)
        status = os.fstat(self._fd)
        self.device, self.inode = status.st_dev, status.st_ino

    def size(self, read: int = 0) -> int:  # noqa: ARG002
        return os.fstat(self._fd).st_size

    def head(self) -> bytes:
        return os.pread(self._fd, HEAD_BYTES, 0)

    def peek(self, offset: int, size: int) -> bytes:
        """Some bytes, without ceremony."""
        return os.pread(self._fd, size, offset)

    async def read_into(self, view: memoryview, offset: int) -> int:
        if self.device not in _no_nowait:
            try:
                length = os.preadv(self._fd, [view], offset, os.RWF_NOWAIT)
                if length == len(view) or offset + length >= self.size():
                    return length
                return length + await asyncio.to_thread(os.preadv, self._fd, [view[length:]], offset + length)
            except BlockingIOError:
                return await asyncio.to_thread(os.preadv, self._fd, [view], offset)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
                _no_nowait.add(self.device)
        return os.preadv(self._fd, [view], offset)

    def close(self) -> None:
        _open.discard(self._fd)
        os.close(self._fd)


class GzipFile:
    """A rotated file that the kubelet has compressed. Read in one direction: going back begins anew."""

    def __init__(self, path: str) -> None:
        self._raw = open(path, "rb")  # noqa: PTH123, SIM115  # stays open
        _open.add(self._raw.fileno())
        status = os.fstat(self._raw.fileno())
        self.device, self.inode = status.st_dev, status.st_ino
        try:
            self._rewind()
            self._head = bytes(self._window.take(0, HEAD_BYTES))
        except BaseException:
            self.close()
            raise

    def size(self, read: int = 0) -> int:
        return self._window.size(read)

    def head(self) -> bytes:
        return self._head

    async def read_into(self, view: memoryview, offset: int) -> int:
        return await asyncio.to_thread(self._read, view, offset)

    def close(self) -> None:
        _open.discard(self._raw.fileno())
        self._raw.close()

    def _read(self, view: memoryview, offset: int) -> int:
        if offset < self._window.start:
            self._rewind()
        data = self._window.take(offset, len(view))
        view[: len(data)] = data
        return len(data)

    def _rewind(self) -> None:
        self._raw.seek(0)
        self._plain = gzip.GzipFile(fileobj=self._raw, mode="rb")
        self._window = Window(self._piece)

    def _piece(self) -> bytes:
        try:
            return self._plain.read(_PIECE)
        except (EOFError, zlib.error) as error:
            raise OSError(errno.EIO, f"damaged gzip data: {error}") from error


class Pipe:
    """What another program writes to us: no file, so nothing to come back to."""

    device = inode = 0

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._window = Window(lambda: os.read(fd, _PIECE))

    def size(self, read: int = 0) -> int:
        return self._window.size(read)

    def head(self) -> bytes:
        return b""

    async def read_into(self, view: memoryview, offset: int) -> int:
        await self._readable()
        data = self._window.take(offset, len(view))
        view[: len(data)] = data
        return len(data)

    async def _readable(self) -> None:
        """Wait for the other program; not in a thread, for one that waits cannot be stopped."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._fd, came.set)
        except PermissionError:  # a regular file, or a device that never makes one wait
            return
        try:
            await came.wait()
        finally:
            loop.remove_reader(self._fd)

    def close(self) -> None:
        """The descriptor is not ours."""


class Window:
    """The part of something that can only be read forward that may be asked for again."""

    def __init__(self, piece: Callable[[], bytes]) -> None:
        self._piece = piece  # more bytes; none at the end
        self._kept = b""
        self.start = 0  # offset of what is kept
        self.ended = False

    @property
    def end(self) -> int:
        """The offset up to which there has been something."""
        return self.start + len(self._kept)

    def size(self, read: int) -> int:
        """The whole's, once its end was seen; until then more than were read."""
        return self.end if self.ended else max(self.end, read) + 1

    def take(self, offset: int, size: int) -> memoryview:
        """Bytes from this offset, not before `start`: what is at hand, and if that is too little one piece more."""
        while self.end < offset and not self.ended:
            self.start, self._kept = self.end, self._more()
        passed = min(offset - self.start, len(self._kept))
        self._kept = self._kept[passed:]
        self.start += passed
        if len(self._kept) < size and not self.ended:
            self._kept += self._more()
        return memoryview(self._kept)[:size]

    def _more(self) -> bytes:
        piece = self._piece()
        self.ended = not piece
        return piece
