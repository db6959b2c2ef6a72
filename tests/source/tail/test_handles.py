import asyncio
import errno
import gzip
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.source.tail import handles
from shipper.source.tail.handles import GzipFile, Pipe, PlainFile, Window

DATA = os.urandom(1 << 20)


async def read(handle, offset, size):
    view = memoryview(bytearray(size))
    return bytes(view[: await handle.read_into(view, offset)])


async def read_on(handle, offset=0):
    """All from this offset, as a tailer reads it."""
    found = b""
    while offset + len(found) < handle.size(offset + len(found)):
        found += await read(handle, offset + len(found), 1 << 20)
    return found


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "0.log"
    path.write_bytes(DATA)
    handle = PlainFile(path)
    yield handle
    handle.close()


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "0.log.gz"
    path.write_bytes(gzip.compress(DATA, 1))
    handle = GzipFile(path)
    yield handle
    handle.close()


async def test_a_file_is_read_from_any_offset(plain):
    assert (plain.size(), plain.head()) == (len(DATA), DATA[:1024])
    assert await read(plain, 0, 100) == DATA[:100]
    assert await read(plain, len(DATA) - 5, 100) == DATA[-5:]
    assert await read(plain, len(DATA), 100) == b""


async def refuse(*_):
    raise AssertionError("read in a thread")


def failing(number):
    real = os.preadv

    def preadv(fd, views, offset, flags=0):
        if flags:
            raise OSError(number, os.strerror(number))
        return real(fd, views, offset)

    return preadv


async def test_what_is_not_in_memory_is_read_in_a_thread(plain, monkeypatch):
    threads = []

    async def to_thread(function, *args):
        threads.append(function)
        return function(*args)

    monkeypatch.setattr(handles, "_no_nowait", set())
    monkeypatch.setattr(os, "preadv", failing(errno.EAGAIN))
    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    assert await read(plain, 7, 100) == DATA[7:107]
    assert len(threads) == 1


async def test_what_is_half_in_memory_is_read_to_its_end(plain, monkeypatch):
    real = os.preadv

    def preadv(fd, views, offset, flags=0):
        return real(fd, [views[0][:10]] if flags else views, offset)

    monkeypatch.setattr(handles, "_no_nowait", set())
    monkeypatch.setattr(os, "preadv", preadv)
    assert await read(plain, 7, 100) == DATA[7:107]


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
async def test_a_file_system_that_cannot_tell_is_read_inline_and_remembered(plain, monkeypatch, number):
    devices = set()
    monkeypatch.setattr(handles, "_no_nowait", devices)
    monkeypatch.setattr(os, "preadv", failing(number))
    monkeypatch.setattr(asyncio, "to_thread", refuse)
    assert await read(plain, 7, 100) == DATA[7:107]
    assert devices == {plain.device}
    assert await read(plain, 9, 100) == DATA[9:109]


async def test_a_disk_that_fails_is_told(plain, monkeypatch):
    monkeypatch.setattr(handles, "_no_nowait", set())
    monkeypatch.setattr(os, "preadv", failing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        await read(plain, 0, 100)


async def test_a_gzipped_file_reads_as_if_it_were_plain(packed):
    assert packed.head() == DATA[:1024]
    assert await read_on(packed) == DATA
    assert packed.size() == len(DATA)


@pytest.mark.parametrize("offset", [1, 300_000, len(DATA) - 1])
async def test_a_gzipped_file_is_read_on_from_where_the_plain_one_was_left(packed, offset):
    assert await read_on(packed, offset) == DATA[offset:]


async def test_a_gzipped_file_that_was_read_to_its_end_has_no_more(packed):
    assert await read_on(packed, len(DATA)) == b""
    assert packed.size(len(DATA)) == len(DATA)


async def test_a_gzipped_file_can_be_read_again(packed):
    assert await read_on(packed, 900_000) == DATA[900_000:]
    assert await read_on(packed, 100) == DATA[100:]


@pytest.mark.parametrize("damage", [DATA[:100], gzip.compress(DATA)[:5], b"\x1f\x8b\x08" + bytes(50)])
def test_what_is_no_gzip_is_refused_and_not_held(tmp_path, damage):
    path = tmp_path / "0.log.gz"
    path.write_bytes(damage)
    before = handles.open_count()
    with pytest.raises(OSError):  # noqa: PT011  # its kind is all that is known
        GzipFile(path)
    assert handles.open_count() == before


async def test_a_gzip_damaged_further_on_gives_what_it_can(tmp_path):
    path = tmp_path / "0.log.gz"
    path.write_bytes(gzip.compress(DATA)[:600_000])
    handle = GzipFile(path)
    try:
        assert await read(handle, 0, 1000) == DATA[:1000]
        with pytest.raises(OSError, match="damaged gzip data"):
            await read_on(handle)
    finally:
        handle.close()


def test_open_files_are_counted(tmp_path):
    before = handles.open_count()
    path = tmp_path / "0.log"
    path.touch()
    opened = [PlainFile(path) for _ in range(3)]
    assert handles.open_count() == before + 3
    for handle in opened:
        handle.close()
    assert handles.open_count() == before


async def test_a_pipe_is_waited_for(pipe):
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


async def test_waiting_for_a_silent_pipe_can_be_stopped(pipe, monkeypatch):
    receiver, sender = pipe
    monkeypatch.setattr(asyncio, "to_thread", refuse)  # a thread would wait on
    waiting = asyncio.create_task(read(Pipe(receiver), 0, 100))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    os.close(sender)


async def test_a_file_can_stand_in_for_the_pipe(tmp_path):
    path = tmp_path / "x.log"
    path.write_bytes(b"data")
    with path.open("rb") as file:
        assert await read(Pipe(file.fileno()), 0, 100) == b"data"


@pytest.fixture
def pipe():
    receiver, sender = os.pipe()
    yield receiver, sender
    os.close(receiver)


@given(st.binary(), st.lists(st.integers(1, 7)), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9))))
def test_a_window_shows_what_is_there_whatever_the_pieces(data, pieces, steps):
    rest, sizes = [data], iter(pieces)

    def piece():
        size = next(sizes, 5)
        taken, rest[0] = rest[0][:size], rest[0][size:]
        return taken

    window, offset = Window(piece), 0
    for forward, size in steps:
        offset += forward
        taken = window.take(offset, size)
        assert taken == data[offset : offset + len(taken)]
        assert len(taken) <= size
        assert taken or window.ended
        assert window.size(offset) > offset or window.ended
