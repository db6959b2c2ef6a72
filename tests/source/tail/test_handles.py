import asyncio
import errno
import gzip
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.source.tail import handles
from shipper.source.tail.handles import ForwardBuffer, GzipFile, Handle, Pipe, PlainFile

DATA = os.urandom(1 << 20)


async def read(handle: Handle, offset: int, size: int) -> bytes:
    view = memoryview(bytearray(size))
    return bytes(view[: await handle.read_into(view, offset)])


async def read_on(handle: Handle, offset: int = 0) -> bytes:
    """All from this offset, as a tailer reads it."""
    found = b""
    while offset + len(found) < handle.size(offset + len(found)):
        found += await read(handle, offset + len(found), 1 << 20)
    return found


# -- plain files


class Disk:
    """A plain file, and how it was read."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(DATA)
        self.at_once = len(DATA)  # bytes a read gets that may not wait for the disk
        self.error = 0  # errno of such a read; 0: it succeeds
        self.waited: list[bool] = []  # whether each read might wait for the disk,
        self.threads: list[threading.Thread] = []  # and where it was made
        self.without_nowait: set[int] = set()
        self.file = PlainFile(str(path), preadv=self._preadv, without_nowait=self.without_nowait)

    def _preadv(self, fd: int, buffers: Sequence[memoryview], offset: int, flags: int) -> int:
        self.waited.append(not flags)
        self.threads.append(threading.current_thread())
        (buffer,) = buffers
        if flags and self.error:
            raise OSError(self.error, os.strerror(self.error))
        return os.preadv(fd, [buffer[: self.at_once] if flags else buffer], offset)

    @property
    def used_a_thread(self) -> list[bool]:
        return [thread is not threading.main_thread() for thread in self.threads]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "0.log")
    yield made
    made.file.close()


async def test_a_file_is_read_from_any_offset(disk: Disk) -> None:
    plain = disk.file
    assert (plain.size(), plain.head()) == (len(DATA), DATA[:1024])
    assert await read(plain, 0, 100) == DATA[:100]
    assert await read(plain, len(DATA) - 5, 100) == DATA[-5:]
    assert await read(plain, len(DATA), 100) == b""
    assert True not in disk.used_a_thread


async def test_what_is_not_in_memory_is_read_in_a_thread(disk: Disk) -> None:
    disk.error = errno.EAGAIN
    assert await read(disk.file, 7, 100) == DATA[7:107]
    assert disk.used_a_thread == disk.waited == [False, True]


async def test_what_is_half_in_memory_is_read_to_its_end(disk: Disk) -> None:
    disk.at_once = 10
    assert await read(disk.file, 7, 100) == DATA[7:107]
    assert disk.used_a_thread == disk.waited == [False, True]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
async def test_a_file_system_that_cannot_tell_is_read_inline_and_remembered(disk: Disk, number: int) -> None:
    disk.error = number
    assert await read(disk.file, 7, 100) == DATA[7:107]
    assert disk.without_nowait == {disk.file.identity[0]}
    assert await read(disk.file, 9, 100) == DATA[9:109]
    assert disk.waited == [False, True, True]
    assert True not in disk.used_a_thread


async def test_a_disk_that_fails_is_told(disk: Disk) -> None:
    disk.error = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await read(disk.file, 0, 100)


# -- gzipped files


@pytest.fixture
def packed(tmp_path: Path) -> Iterator[GzipFile]:
    path = tmp_path / "0.log.gz"
    path.write_bytes(gzip.compress(DATA, 1))
    handle = GzipFile(str(path))
    yield handle
    handle.close()


async def test_a_gzipped_file_reads_as_if_it_were_plain(packed: GzipFile) -> None:
    assert packed.head() == DATA[:1024]
    assert await read_on(packed) == DATA
    assert packed.size() == len(DATA)


@pytest.mark.parametrize("offset", [1, 300_000, len(DATA) - 1])
async def test_a_gzipped_file_is_read_on_from_where_the_plain_one_was_left(packed: GzipFile, offset: int) -> None:
    assert await read_on(packed, offset) == DATA[offset:]


async def test_a_gzipped_file_that_was_read_to_its_end_has_no_more(packed: GzipFile) -> None:
    assert await read_on(packed, len(DATA)) == b""
    assert packed.size(len(DATA)) == len(DATA)


async def test_a_gzipped_file_can_be_read_again(packed: GzipFile) -> None:
    assert await read_on(packed, 900_000) == DATA[900_000:]
    assert await read_on(packed, 100) == DATA[100:]


@pytest.mark.parametrize("damage", [DATA[:100], gzip.compress(DATA)[:5], b"\x1f\x8b\x08" + bytes(50)])
def test_what_is_no_gzip_is_refused_and_not_held(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "0.log.gz"
    path.write_bytes(damage)
    before = handles.open_count()
    with pytest.raises(OSError):  # noqa: PT011  # its kind is all that is known
        GzipFile(str(path))
    assert handles.open_count() == before


async def test_a_gzip_damaged_further_on_gives_what_it_can(tmp_path: Path) -> None:
    path = tmp_path / "0.log.gz"
    path.write_bytes(gzip.compress(DATA)[:600_000])
    handle = GzipFile(str(path))
    try:
        assert await read(handle, 0, 1000) == DATA[:1000]
        with pytest.raises(OSError, match="damaged gzip data"):
            await read_on(handle)
    finally:
        handle.close()


def test_open_files_are_counted(tmp_path: Path) -> None:
    before = handles.open_count()
    path = tmp_path / "0.log"
    path.touch()
    opened = [PlainFile(str(path)) for _ in range(3)]
    assert handles.open_count() == before + 3
    for handle in opened:
        handle.close()
    assert handles.open_count() == before


# -- pipes


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    receiver, sender = os.pipe()
    yield receiver, sender
    os.close(receiver)


async def test_a_pipe_is_waited_for(pipe: tuple[int, int]) -> None:
    receiver, sender = pipe
    handle = Pipe(receiver)
    waiting = asyncio.create_task(read(handle, 0, 100))
    await asyncio.sleep(0)
    os.write(sender, b"data")
    assert await waiting == b"data"
    os.write(sender, b" more")
    assert await read(handle, 0, 100) == b"data more"
    os.close(sender)
    assert await read(handle, 9, 100) == b""
    assert handle.size() == 9


async def test_waiting_for_a_silent_pipe_can_be_stopped(pipe: tuple[int, int]) -> None:
    receiver, sender = pipe
    threads = threading.active_count()
    waiting = asyncio.create_task(read(Pipe(receiver), 0, 100))
    await asyncio.sleep(0)
    assert threading.active_count() == threads  # a thread would wait on
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.close(sender)


async def test_a_file_can_stand_in_for_the_pipe(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"data")
    with path.open("rb") as file:
        assert await read(Pipe(file.fileno()), 0, 100) == b"data"


@given(st.binary(), st.lists(st.integers(1, 7)), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9))))
def test_a_forward_buffer_shows_what_is_there_whatever_the_chunks(
    data: bytes, chunks: list[int], steps: list[tuple[int, int]]
) -> None:
    rest, sizes = [data], iter(chunks)

    def read_chunk() -> bytes:
        size = next(sizes, 5)
        taken, rest[0] = rest[0][:size], rest[0][size:]
        return taken

    buffer, offset = ForwardBuffer(read_chunk), 0
    for forward, size in steps:
        offset += forward
        taken = buffer.take(offset, size)
        assert taken == data[offset : offset + len(taken)]
        assert len(taken) <= size
        assert taken or buffer.ended
        assert buffer.size(offset) > offset or buffer.ended
