import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.source.tail.handles import open_log
from shipper.source.tail.listing import Listing
from shipper.source.tail.state import State
from shipper.source.tail.tailer import Replaced, Tailer

ROOM = 64  # bytes of the buffer


class Tailing:
    """A tailer of a file that a test writes."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "0.log"
        self.path.touch()
        self.buffer = memoryview(bytearray(ROOM))
        (listed,) = Listing(str(directory)).shown(None, 0.0).files
        self.tailer = Tailer(listed)
        assert self.open(0.0)

    def open(self, now: float) -> bool:
        """Whether its name leads to it."""
        return self.tailer.opened(open_log(str(self.path), self.tailer.name), now)

    def show(self) -> None:
        self.tailer.listed(*Listing(str(self.path.parent)).shown(None, 0.0).files)

    def write(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data)
        self.tailer.grew()

    async def read(self, limit: int = ROOM) -> tuple[list[tuple[int, bytes]], int]:
        """Everything up to the end: (start, data) of each block, and how many lines were passed over."""
        blocks, too_long = [], 0
        while self.tailer.may_have_more:
            if block := await self.tailer.read(self.buffer, limit, 1.0):
                too_long += block.too_long
                if block.data:
                    blocks.append((block.start, bytes(block.data)))
        return blocks, too_long

    async def data(self, limit: int = ROOM) -> bytes:
        return b"".join(data for _, data in (await self.read(limit))[0])


@pytest.fixture
def tailing(tmp_path: Path) -> Iterator[Tailing]:
    made = Tailing(tmp_path)
    yield made
    made.tailer.close()


# -- whole lines


async def test_growth_is_read_from_where_it_was_left(tailing: Tailing) -> None:
    tailing.write(b"a\n")
    assert await tailing.read() == ([(0, b"a\n")], 0)
    tailing.write(b"bb\nc\n")
    assert await tailing.read() == ([(2, b"bb\nc\n")], 0)


async def test_an_unfinished_line_waits_for_its_end(tailing: Tailing) -> None:
    tailing.write(b"a\nunfin")
    assert await tailing.data() == b"a\n"
    assert tailing.tailer.has_unfinished_line
    assert tailing.tailer.commit_limit == 2
    tailing.write(b"ished\n")
    assert await tailing.data() == b"unfinished\n"
    assert not tailing.tailer.has_unfinished_line


async def test_a_line_longer_than_a_turn_gets_all_the_room(tailing: Tailing) -> None:
    line = b"x" * (ROOM - 5) + b"\n"
    tailing.write(line + b"next\n")
    assert await tailing.data(limit=16) == line + b"next\n"


async def test_a_line_that_fits_no_buffer_is_passed_over_and_the_next_is_whole(tailing: Tailing) -> None:
    tailing.write(b"a\n" + b"x" * (3 * ROOM) + b"\nb\n")
    assert await tailing.read() == ([(0, b"a\n"), (2 + 3 * ROOM + 1, b"b\n")], 1)


async def test_a_line_that_fits_no_buffer_holds_its_start_until_it_ends(tailing: Tailing) -> None:
    tailing.write(b"a\n" + b"x" * (2 * ROOM))
    assert await tailing.data() == b"a\n"
    assert tailing.tailer.commit_limit == 2
    assert tailing.tailer.has_unfinished_line
    tailing.write(b"x\nb\n")
    assert await tailing.read() == ([(2 + 2 * ROOM + 2, b"b\n")], 1)
    assert tailing.tailer.commit_limit == 2 + 2 * ROOM + 4


async def test_the_rest_at_the_end_of_a_file_is_a_line(tailing: Tailing) -> None:
    tailing.write(b"a\nrest")
    await tailing.read()
    block = await tailing.tailer.read_unfinished_line(tailing.buffer)
    assert block
    assert (block.start, bytes(block.data), block.too_long) == (2, b"rest\n", 0)
    assert tailing.tailer.commit_limit == 6
    assert not tailing.tailer.has_unfinished_line


async def test_no_rest_is_no_line(tailing: Tailing) -> None:
    tailing.write(b"a\n")
    await tailing.read()
    assert await tailing.tailer.read_unfinished_line(tailing.buffer) is None


async def test_a_rest_that_fits_no_buffer_is_one_line_too_long(tailing: Tailing) -> None:
    tailing.write(b"x" * (2 * ROOM + 9))
    assert await tailing.read() == ([], 0)
    block = await tailing.tailer.read_unfinished_line(tailing.buffer)
    assert block
    assert (bytes(block.data), block.too_long) == (b"", 1)
    assert not tailing.tailer.has_unfinished_line


# -- which file it is


@pytest.mark.parametrize("now_holds", [b"", b"a\n", b"other\nlines, and more of them\n"])
async def test_a_truncated_file_is_replaced_regrown_or_not(tailing: Tailing, now_holds: bytes) -> None:
    tailing.write(b"a\nbb\nccc\n")
    await tailing.read()
    tailing.path.write_bytes(now_holds)
    tailing.tailer.grew()
    with pytest.raises(Replaced):
        await tailing.read()


async def test_an_open_file_is_read_whatever_becomes_of_its_name(tailing: Tailing, tmp_path: Path) -> None:
    tailing.write(b"a\n")
    renamed = tailing.path.rename(tmp_path / "0.log.1")
    assert await tailing.data() == b"a\n"
    with renamed.open("ab") as late:
        late.write(b"b\n")
    renamed.unlink()
    tailing.tailer.grew()
    assert await tailing.data() == b"b\n"


@pytest.mark.parametrize("other", ["another inode", "the same inode"])
async def test_a_name_that_leads_to_another_file_is_not_opened(tailing: Tailing, tmp_path: Path, other: str) -> None:
    tailing.write(b"a\n")
    await tailing.read()
    tailing.tailer.close()
    if other == "another inode":
        tailing.path.rename(tmp_path / "kept")
    tailing.path.write_bytes(b"b\n")
    assert not tailing.open(2.0)
    assert not tailing.tailer.is_open


async def test_a_closed_file_goes_on_where_it_was(tailing: Tailing) -> None:
    tailing.write(b"a\n")
    await tailing.read()
    tailing.tailer.close()
    tailing.write(b"b\n")
    assert tailing.open(2.0)
    assert await tailing.read() == ([(2, b"b\n")], 0)


async def test_a_file_that_stopped_growing_is_known_by_the_time_it_grew(tailing: Tailing) -> None:
    tailing.write(b"a\n")
    await tailing.tailer.read(tailing.buffer, ROOM, 5.0)
    tailing.tailer.grew()
    await tailing.tailer.read(tailing.buffer, ROOM, 9.0)
    assert tailing.tailer.grown_at == 5.0


# -- its state


async def test_a_file_is_read_until_its_end_and_again_when_it_grows(tailing: Tailing) -> None:
    tailer = tailing.tailer
    states = [tailer.state]
    for event in (tailing.read, tailer.grew, tailing.read, tailer.close, tailer.grew):
        done = event()
        if done is not None:
            await done
        states.append(tailer.state)
    assert tailing.open(2.0)
    assert [*states, tailer.state] == [
        State.READING,
        State.CAUGHT_UP,
        State.READING,
        State.CAUGHT_UP,
        State.CLOSED,
        State.UNREAD,
        State.READING,
    ]


def test_what_is_closed_before_its_end_is_still_to_be_read(tailing: Tailing) -> None:
    tailing.tailer.close()
    assert tailing.tailer.state is State.UNREAD


def test_a_file_that_fails_waits_until_it_grows(tailing: Tailing) -> None:
    tailing.tailer.failed()
    assert (tailing.tailer.state, tailing.tailer.is_open) == (State.CLOSED, False)
    tailing.tailer.grew()
    assert tailing.tailer.state is State.UNREAD


def test_a_replaced_file_is_closed_and_can_only_be_continued_in_a_copy(tailing: Tailing) -> None:
    tailer = tailing.tailer
    tailer.replaced()
    assert (tailer.state, tailer.is_open) == (State.REPLACED, False)
    with pytest.raises(KeyError):
        tailer.grew()
    (copy,) = Listing(str(tailing.path.parent)).shown(None, 0.0).files
    tailer.moved(copy, open_log(str(tailing.path), copy.name), 2.0)
    assert tailer.state is State.READING


async def test_a_file_whose_name_is_gone_is_read_once_more(tailing: Tailing) -> None:
    await tailing.read()
    assert tailing.tailer.is_idle
    tailing.tailer.unlisted()
    assert tailing.tailer.state is State.READING
    await tailing.read()
    assert not tailing.tailer.is_idle


async def test_a_listing_that_shows_growth_or_a_new_file_gives_something_to_read(tailing: Tailing) -> None:
    tailing.show()
    assert await tailing.read() == ([], 0)
    tailing.show()
    assert not tailing.tailer.may_have_more
    with tailing.path.open("ab") as file:
        file.write(b"a\n")
    tailing.show()
    assert tailing.tailer.may_have_more


async def test_a_listing_that_shows_another_time_of_the_same_size_gives_something_to_read(tailing: Tailing) -> None:
    tailing.write(b"a\n")
    tailing.show()
    await tailing.read()
    tailing.path.write_bytes(b"b\n")
    os.utime(tailing.path, (2_000_000_000, 2_000_000_000))
    tailing.show()
    assert tailing.tailer.may_have_more


@given(
    st.lists(st.one_of(st.binary(max_size=20), st.just(b"\n"), st.just(b"x" * ROOM)), max_size=12), st.integers(8, ROOM)
)
def test_whatever_is_written_when_each_line_comes_once(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], limit: int
) -> None:
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
