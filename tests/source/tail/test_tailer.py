import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.source.tail.names import list_logs
from shipper.source.tail.tailer import Replaced, Tailer

ROOM = 64  # bytes of the buffer


class Tailing:
    """A tailer of a file that a test writes."""

    def __init__(self, directory, offset=0):
        self.path = directory / "0.log"
        self.path.touch()
        self.directory, self.buffer = directory, memoryview(bytearray(ROOM))
        (listed,) = list_logs(directory)
        self.tailer = Tailer(listed, offset)
        assert self.tailer.open(directory, self.tailer.log, 0.0)

    def write(self, data):
        with self.path.open("ab") as file:
            file.write(data)
        self.tailer.is_dirty = True

    async def read(self, limit=ROOM):
        """Everything up to the end: (start, data) of each block, and how many lines were passed over."""
        blocks, too_long = [], 0
        while self.tailer.is_dirty:
            if block := await self.tailer.read(self.buffer, limit, 1.0):
                too_long += block.too_long
                if block.data:
                    blocks.append((block.start, bytes(block.data)))
        return blocks, too_long

    async def data(self, limit=ROOM):
        return b"".join(data for _, data in (await self.read(limit))[0])


@pytest.fixture
def tailing(tmp_path):
    made = Tailing(tmp_path)
    yield made
    made.tailer.close()


async def test_growth_is_read_from_where_it_was_left(tailing):
    tailing.write(b"a\n")
    assert await tailing.read() == ([(0, b"a\n")], 0)
    tailing.write(b"bb\nc\n")
    assert await tailing.read() == ([(2, b"bb\nc\n")], 0)


async def test_an_unfinished_line_waits_for_its_end(tailing):
    tailing.write(b"a\nunfin")
    assert await tailing.data() == b"a\n"
    assert tailing.tailer.has_tail
    assert tailing.tailer.held == 2
    tailing.write(b"ished\n")
    assert await tailing.data() == b"unfinished\n"
    assert not tailing.tailer.has_tail


async def test_a_line_longer_than_a_turn_gets_all_the_room(tailing):
    line = b"x" * (ROOM - 5) + b"\n"
    tailing.write(line + b"next\n")
    assert await tailing.data(limit=16) == line + b"next\n"


async def test_a_line_that_fits_no_buffer_is_passed_over_and_the_next_is_whole(tailing):
    tailing.write(b"a\n" + b"x" * (3 * ROOM) + b"\nb\n")
    assert await tailing.read() == ([(0, b"a\n"), (2 + 3 * ROOM + 1, b"b\n")], 1)


async def test_a_line_that_fits_no_buffer_holds_its_start_until_it_ends(tailing):
    tailing.write(b"a\n" + b"x" * (2 * ROOM))
    assert await tailing.data() == b"a\n"
    assert tailing.tailer.held == 2
    assert tailing.tailer.has_tail
    tailing.write(b"x\nb\n")
    assert await tailing.read() == ([(2 + 2 * ROOM + 2, b"b\n")], 1)
    assert tailing.tailer.held == 2 + 2 * ROOM + 4


async def test_the_rest_at_the_end_of_a_file_is_a_line(tailing):
    tailing.write(b"a\nrest")
    await tailing.read()
    block = await tailing.tailer.read_tail(tailing.buffer)
    assert (block.start, bytes(block.data), block.too_long) == (2, b"rest\n", 0)
    assert tailing.tailer.held == 6
    assert not tailing.tailer.has_tail


async def test_no_rest_is_no_line(tailing):
    tailing.write(b"a\n")
    await tailing.read()
    assert await tailing.tailer.read_tail(tailing.buffer) is None


async def test_a_rest_that_fits_no_buffer_is_one_line_too_long(tailing):
    tailing.write(b"x" * (2 * ROOM + 9))
    assert await tailing.read() == ([], 0)
    block = await tailing.tailer.read_tail(tailing.buffer)
    assert (bytes(block.data), block.too_long) == (b"", 1)
    assert not tailing.tailer.has_tail


@pytest.mark.parametrize("now_holds", [b"", b"a\n", b"other\nlines, and more of them\n"])
async def test_a_truncated_file_is_replaced_regrown_or_not(tailing, now_holds):
    tailing.write(b"a\nbb\nccc\n")
    await tailing.read()
    tailing.path.write_bytes(now_holds)
    tailing.tailer.is_dirty = True
    with pytest.raises(Replaced):
        await tailing.read()


async def test_an_open_file_is_read_whatever_becomes_of_its_name(tailing, tmp_path):
    tailing.write(b"a\n")
    renamed = tailing.path.rename(tmp_path / "0.log.1")
    assert await tailing.data() == b"a\n"
    with renamed.open("ab") as late:
        late.write(b"b\n")
    renamed.unlink()
    tailing.tailer.is_dirty = True
    assert await tailing.data() == b"b\n"


@pytest.mark.parametrize("other", ["another inode", "the same inode"])
async def test_a_name_that_leads_to_another_file_is_not_opened(tailing, tmp_path, other):
    tailing.write(b"a\n")
    await tailing.read()
    tailing.tailer.close()
    if other == "another inode":
        tailing.path.rename(tmp_path / "kept")
    tailing.path.write_bytes(b"b\n")
    assert not tailing.tailer.open(tmp_path, tailing.tailer.log, 2.0)
    assert not tailing.tailer.is_open


async def test_a_closed_file_goes_on_where_it_was(tailing, tmp_path):
    tailing.write(b"a\n")
    await tailing.read()
    tailing.tailer.close()
    tailing.write(b"b\n")
    assert tailing.tailer.open(tmp_path, tailing.tailer.log, 2.0)
    assert await tailing.read() == ([(2, b"b\n")], 0)


async def test_a_file_that_stopped_growing_is_known_by_the_time_it_grew(tailing):
    tailing.write(b"a\n")
    await tailing.tailer.read(tailing.buffer, ROOM, 5.0)
    tailing.tailer.is_dirty = True
    await tailing.tailer.read(tailing.buffer, ROOM, 9.0)
    assert tailing.tailer.grown_at == 5.0


def test_a_listing_that_shows_growth_or_a_new_file_makes_dirty(tailing, tmp_path):
    tailer = tailing.tailer
    tailer.see(*list_logs(tmp_path))
    tailer.is_dirty = False
    tailer.see(*list_logs(tmp_path))
    assert not tailer.is_dirty
    with tailing.path.open("ab") as file:
        file.write(b"a\n")
    tailer.see(*list_logs(tmp_path))
    assert tailer.is_dirty


def test_a_listing_that_shows_another_content_of_the_same_size_makes_dirty(tailing, tmp_path):
    tailing.write(b"a\n")
    tailer = tailing.tailer
    tailer.read_offset = 2
    tailer.see(*list_logs(tmp_path))
    tailer.is_dirty = False
    tailing.path.write_bytes(b"b\n")
    os.utime(tailing.path, (2_000_000_000, 2_000_000_000))
    tailer.see(*list_logs(tmp_path))
    assert tailer.is_dirty


@given(
    st.lists(st.one_of(st.binary(max_size=20), st.just(b"\n"), st.just(b"x" * ROOM)), max_size=12), st.integers(8, ROOM)
)
def test_whatever_is_written_when_each_line_comes_once(tmp_path_factory, chunks, limit):
    async def tail() -> None:
        tailing = Tailing(tmp_path_factory.mktemp("log"))
        written, got, too_long = b"", b"", 0
        for chunk in chunks:
            tailing.write(chunk)
            written += chunk
            blocks, passed = await tailing.read(limit)
            too_long += passed
            for start, data in blocks:
                assert written[start : start + len(data)] == data
                got += data
        tailing.tailer.close()
        lines = written.split(b"\n")[:-1]
        short = [line for line in lines if len(line) < ROOM]
        assert got == b"".join(line + b"\n" for line in short)
        assert too_long == len(lines) - len(short)

    asyncio.run(tail())
