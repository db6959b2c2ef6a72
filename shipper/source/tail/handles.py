"""An open log: a plain file, a gzipped one that is read as if it were plain, or a pipe.

Offsets are those of the plain content. What is in the page cache is read at once; what is not, in a thread, so that
a slow disk never stops the event loop.
"""

import asyncio
import errno
import gzip
import os
import zlib
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from shipper.source.tail.fingerprint import HEAD_BYTES
from shipper.source.tail.names import LogName

BEYOND: Final = 1 << 62  # an offset after the end of any file
CHUNK_BYTES: Final = 1 << 18  # of one read from what can only be read forward
_GZIP_SIZE: Final = 4  # bytes at its end
_GZIP_MOST: Final = 1032  # plain bytes for each compressed one

_open: set[int] = set()  # descriptors of this process's logs
_without_nowait: set[int] = set()  # devices whose file system knows no RWF_NOWAIT (tmpfs, overlayfs)

Preadv = Callable[[int, Sequence[memoryview], int, int], int]
"""`os.preadv`: descriptor, buffers, offset, flags."""


class Deleted(NamedTuple):
    """What a deleted file that is held open takes from its volume."""

    bytes: int
    modified: int  # ns since 1970
    volume: int  # device
    volume_bytes: int


class Handle(Protocol):
    """An open log."""

    identity: tuple[int, int]  # device and inode

    def size(self, read: int = 0) -> int:
        """Its bytes. Of a stream whose end was not seen yet nobody knows: then more than the `read` ones."""

    def size_on_disk(self) -> int:
        """Its bytes as the disk tells them, however much was read."""

    def head(self) -> bytes:
        """The first bytes, 1,024 at most."""

    def deleted(self) -> Deleted | None:
        """What it takes from the disk by being open alone; None while a name leads to it."""

    async def read_into(self, view: memoryview, offset: int) -> int:
        """Fill the view from this offset; the number of bytes, 0 at the end. Raises OSError."""

    def close(self) -> None:
        """Give the descriptor back."""


OpenLog = Callable[[str, LogName], Handle]
"""Opens a log by its path. Raises OSError."""


def open_log(path: str, name: LogName) -> Handle:
    """Open a log, plain or gzipped. Raises OSError."""
    return GzipFile(path) if name.gzipped else PlainFile(path)


def open_count() -> int:
    """How many logs are open in this process."""
    return len(_open)


def _deleted(fd: int) -> Deleted | None:
    try:
        status = os.fstat(fd)
        if status.st_nlink:
            return None
        volume = os.fstatvfs(fd)
    except OSError:
        return None
    return Deleted(status.st_blocks * 512, status.st_mtime_ns, status.st_dev, volume.f_blocks * volume.f_frsize)


class PlainFile:
    """A file as it is."""

    def __init__(self, path: str, *, preadv: Preadv = os.preadv, without_nowait: set[int] = _without_nowait) -> None:
        self._preadv, self._without_nowait = preadv, without_nowait
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _open.add(self._fd)
        status = os.fstat(self._fd)
        self.identity = status.st_dev, status.st_ino

    def size(self, read: int = 0) -> int:  # noqa: ARG002
        return os.fstat(self._fd).st_size

    def size_on_disk(self) -> int:
        return self.size()

    def head(self) -> bytes:
        return os.pread(self._fd, HEAD_BYTES, 0)

    def deleted(self) -> Deleted | None:
        return _deleted(self._fd)

    def peek(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes from this offset, from the disk if need be."""
        return os.pread(self._fd, size, offset)

    async def read_into(self, view: memoryview, offset: int) -> int:
        device, _ = self.identity
        if device not in self._without_nowait:
            try:
                length = self._preadv(self._fd, [view], offset, os.RWF_NOWAIT)
                if length == len(view) or offset + length >= self.size():
                    return length
                return length + await self._read_in_thread(view[length:], offset + length)
            except BlockingIOError:
                return await self._read_in_thread(view, offset)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise
                self._without_nowait.add(device)
        return self._preadv(self._fd, [view], offset, 0)

    async def _read_in_thread(self, view: memoryview, offset: int) -> int:
        return await asyncio.to_thread(self._preadv, self._fd, [view], offset, 0)

    def close(self) -> None:
        _open.discard(self._fd)
        os.close(self._fd)


class GzipFile:
    """A rotated file that the kubelet has compressed. Read in one direction: going back begins anew."""

    def __init__(self, path: str) -> None:
        self._raw = open(path, "rb")  # noqa: PTH123, SIM115  # stays open
        _open.add(self._raw.fileno())
        status = os.fstat(self._raw.fileno())
        self.identity = status.st_dev, status.st_ino
        try:
            self._rewind()
            self._head = bytes(self._buffer.take(0, HEAD_BYTES))
        except BaseException:
            self.close()
            raise

    def size(self, read: int = 0) -> int:
        return self._buffer.size(read)

    def size_on_disk(self) -> int:
        return _plain_size(self._raw.fileno())

    def head(self) -> bytes:
        return self._head

    def deleted(self) -> Deleted | None:
        return _deleted(self._raw.fileno())

    async def read_into(self, view: memoryview, offset: int) -> int:
        return await asyncio.to_thread(self._read, view, offset)

    def close(self) -> None:
        _open.discard(self._raw.fileno())
        self._raw.close()

    def _read(self, view: memoryview, offset: int) -> int:
        if offset < self._buffer.start:
            self._rewind()
        return self._buffer.fill(view, offset)

    def _rewind(self) -> None:
        self._raw.seek(0)
        self._plain = gzip.GzipFile(fileobj=self._raw, mode="rb")
        self._buffer = ForwardBuffer(self._chunk)

    def _chunk(self) -> bytes:
        try:
            return self._plain.read(CHUNK_BYTES)
        except (EOFError, zlib.error) as error:
            raise OSError(errno.EIO, f"damaged gzip data: {error}") from error


def _plain_size(fd: int) -> int:
    """The bytes that a gzipped file was made of, as its last four bytes tell; no more than such a file can hold."""
    size = os.fstat(fd).st_size
    told = int.from_bytes(os.pread(fd, _GZIP_SIZE, max(0, size - _GZIP_SIZE)), "little")
    return min(told, size * _GZIP_MOST)


def size_at(path: str, name: LogName, identity: tuple[int, int]) -> int:
    """The bytes of a log that is not open, those of its plain content. Raises OSError, also for another file."""
    status = os.stat(path)  # noqa: PTH116  # making a Path costs more
    if (status.st_dev, status.st_ino) != identity:
        raise FileNotFoundError(errno.ENOENT, "another file", path)
    if not name.gzipped:
        return status.st_size
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _plain_size(fd)
    finally:
        os.close(fd)


class Pipe:
    """A pipe that another program writes to. It is no file, so it cannot be read again."""

    identity = 0, 0

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = ForwardBuffer(lambda: os.read(fd, CHUNK_BYTES))

    def size(self, read: int = 0) -> int:
        return self._buffer.size(read)

    def size_on_disk(self) -> int:
        return 0

    def head(self) -> bytes:
        return b""

    def deleted(self) -> Deleted | None:
        return None

    async def read_into(self, view: memoryview, offset: int) -> int:
        await self._readable()
        return self._buffer.fill(view, offset)

    async def _readable(self) -> None:
        """Wait for the other program; not in a thread, for a thread that waits cannot be stopped."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        try:
            loop.add_reader(self._fd, came.set)
        except PermissionError:  # a regular file, or a device that is always ready
            return
        try:
            await came.wait()
        finally:
            loop.remove_reader(self._fd)

    def close(self) -> None:
        """The descriptor is not ours."""


class ForwardBuffer:
    """Buffer over a stream that can only be read forward: the last bytes stay readable.

    `read_chunk` gives the stream's next bytes, none at its end.
    """

    def __init__(self, read_chunk: Callable[[], bytes]) -> None:
        self._read_chunk = read_chunk
        self._kept = b""
        self.start = 0  # offset of what is kept
        self.ended = False

    @property
    def end(self) -> int:
        """The offset after the last byte that was read."""
        return self.start + len(self._kept)

    def size(self, read: int) -> int:
        """The stream's bytes once its end was seen; until then more than were read."""
        return self.end if self.ended else max(self.end, read) + 1

    def take(self, offset: int, size: int) -> memoryview:
        """Bytes from this offset, not before `start`: buffered ones, topped up with one more read if too few."""
        while self.end < offset and not self.ended:
            self.start, self._kept = self.end, self._more()
        passed = min(offset - self.start, len(self._kept))
        self._kept = self._kept[passed:]
        self.start += passed
        if len(self._kept) < size and not self.ended:
            self._kept += self._more()
        return memoryview(self._kept)[:size]

    def fill(self, view: memoryview, offset: int) -> int:
        """Bytes from this offset into the view; how many."""
        data = self.take(offset, len(view))
        view[: len(data)] = data
        return len(data)

    def _more(self) -> bytes:
        chunk = self._read_chunk()
        self.ended = not chunk
        return chunk
