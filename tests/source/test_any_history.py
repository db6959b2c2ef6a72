"""Whatever happens to a log and its reader: each kept line arrives, none is wrong, none comes again for nothing."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.containerd import LogWriter, cri_line
from shipper.entries import Entries
from shipper.source.positions.file import SavedTarget
from tests.source.reading import Following, kept_line

WAITS = st.sampled_from([0.0, 1.0, 3.0, 60.0])  # seconds
SIZES = st.sampled_from([0, 0, 300, 5000, 300_000])  # bytes of a line
ROOMS = st.sampled_from([1 << 10, 1 << 16, 1 << 20])  # bytes of a turn

Step = tuple[Any, ...]
STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 4), SIZES),
    st.tuples(st.just("write"), st.integers(1, 4), SIZES),
    st.tuples(st.just("skip"), st.integers(1, 4)),
    st.tuples(st.just("tear"), st.integers(1, 60)),
    st.tuples(st.just("begin_pieces")),
    st.tuples(st.just("rotate")),
    st.tuples(st.just("rotate_late"), st.integers(0, 2)),
    st.tuples(st.just("truncate")),
    st.tuples(st.just("restart_container")),
    st.tuples(st.just("read"), WAITS, ROOMS),
    st.tuples(st.just("read"), WAITS, ROOMS),
    st.tuples(st.just("answer"), st.lists(st.integers(0, 20), max_size=8)),
    st.tuples(st.just("answer_all")),
    st.tuples(st.just("save")),
    st.tuples(st.just("release")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("stop_and_start")),
)


class History:
    """A log, its reader, and what must be true of both."""

    def __init__(self, root: Path) -> None:
        self.log = LogWriter(root)
        self.following = Following(self.log.directory)
        self.written: list[bytes] = []  # kept lines, in order
        self.received: list[bytes] = []
        self.saved: SavedTarget = self.following.saved
        self.done_when_saved: set[bytes] = set()
        self.never_again: set[bytes] = set()  # settled and saved before this process began
        self.unfinished = b""  # the rest of a torn line, or of one in pieces
        self.rotations = self.begun_in = 0  # how many there have been, now and when that line was begun
        self.in_parts = False  # that line is in parts, whose rest comes in time
        self.straddles = False  # the log that is written begins with the rest of an older file's line

    def close(self) -> None:
        self.following.close()
        self.log.close()

    # -- what the container and the node do

    def _next(self, size: int = 0) -> bytes:
        self.written.append(kept_line(len(self.written), size))
        return self.written[-1]

    def finish_line(self) -> None:
        if self.unfinished:
            self.log.write_raw(self.unfinished)
            self.unfinished, self.in_parts = b"", False
            self.straddles |= self.rotations != self.begun_in

    def write(self, lines: int, size: int) -> None:
        self.finish_line()
        for _ in range(lines):
            self.log.write(self._next(size))

    def skip(self, lines: int) -> None:
        self.finish_line()
        for _ in range(lines):
            self.log.write(b'{"response_flags":"-"}')

    def tear(self, at: int) -> None:
        """Only the beginning of a line is written; the file is not rotated before its end is."""
        self.finish_line()
        line = cri_line(self.log.now(), self._next())
        self.log.write_raw(line[:at])
        self.unfinished, self.begun_in = line[at:], self.rotations

    def begin_pieces(self) -> None:
        self.finish_line()
        line = self._next(40)
        self.log.write_raw(cri_line(self.log.now(), line[:20], tag="P"))
        self.unfinished, self.begun_in = cri_line(self.log.now(), line[20:]), self.rotations
        self.in_parts = True

    def _is_torn(self) -> bool:
        return not self.log.path.read_bytes().endswith(b"\n") and self.unfinished != b""

    def rotate(self) -> None:
        """Pieces may straddle files, a torn line cannot: the runtime writes a line at once."""
        if self._is_torn():
            self.finish_line()
        self.log.rotate(max_files=100)
        self._is_new()

    def rotate_late(self, lines: int) -> None:
        """The runtime still writes to the renamed file."""
        if self._is_torn():
            self.finish_line()
        self.log.rename()
        for _ in range(lines):
            self.write(1, 0)
        self.log.reopen()
        self._is_new()

    def _is_new(self) -> None:
        self.rotations += 1
        self.straddles = False

    async def truncate(self) -> None:
        """Only of what was read to its end, for nobody can read the rest, and of whole lines."""
        self.finish_line()
        await self.read(0.0, 1 << 20)
        if not self.straddles:
            self.log.truncate()

    def restart_container(self) -> None:
        self.finish_line()
        self.log.restart()
        self._is_new()

    # -- what the agent and Loki do

    async def read(self, wait: float, room: int) -> None:
        lines = await self.following.read(min(wait, 1.0) if self.in_parts else wait, limit=room)
        assert not self.never_again & set(lines)
        self.received += lines

    def answer(self, which: list[int]) -> None:
        for at in which:
            if at < len(self.following.unsettled):
                self.following.settle([self.following.unsettled[at]])

    def answer_all(self) -> None:
        self.following.settle()

    def save(self) -> None:
        self.saved = self.following.saved
        self.done_when_saved = self.never_again | self._settled_prefix()

    def _settled_prefix(self) -> set[bytes]:
        """The lines of this process before the first that is not answered, block by block."""
        done: set[bytes] = set()
        for part in self.following.parts:
            if part.ticket.unsettled:
                break
            done |= lines_of(part)
        return done

    def release(self) -> None:
        self.following.files.release_idle()

    def crash(self) -> None:
        """Go on with what was saved, not with what is known."""
        self.following.close()
        self.following = Following(self.log.directory, self.saved)
        self.never_again = self.done_when_saved

    def stop_and_start(self) -> None:
        self.save()
        self.crash()


def lines_of(part: Entries) -> set[bytes]:
    return set(part.unpacked().lines)


async def live(steps: list[Step], history: History) -> None:
    try:
        for name, *arguments in steps:
            done = getattr(history, name)(*arguments)
            if asyncio.iscoroutine(done):
                await done
        history.finish_line()
        for _ in range(2):
            await history.read(60.0, 1 << 20)
        assert set(history.received) == set(history.written)
        history.answer_all()
        plain = [path for path in history.log.directory.iterdir() if path.suffix != ".gz"]
        committed = history.following.committed
        assert all(committed.get(path.name, 0) == path.stat().st_size for path in plain)
        history.stop_and_start()
        await history.read(60.0, 1 << 20)
        assert not history.following.parts
    finally:
        history.close()


@settings(max_examples=120, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_whatever_happens_each_line_arrives_and_none_that_is_done_comes_again(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as root:
        asyncio.run(live(steps, History(Path(root))))
