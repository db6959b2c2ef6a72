import asyncio
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.containerd import cri_line
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.model import Target
from shipper.pipeline.keep import UT
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline
from shipper.source.accounting import Accounting
from shipper.source.budget import Budget
from shipper.source.stdin import StdinReader
from tests.source.reading import Kept


class Piped:
    """A reader of a pipe, and all that it has handed on."""

    def __init__(self, fd: int, budget: int = 1 << 20) -> None:
        self.metrics = Metrics()
        self.parts: list[Entries] = []
        self.came = asyncio.Event()
        pipeline = Pipeline(UT, Admission([], 200, 500), [], 1 << 20)
        self.reader = StdinReader(fd, Target("stdin", {}, {}), pipeline, self, Budget(budget), Accounting(self.metrics))

    def put(self, entries: Entries) -> None:
        self.parts.append(entries)
        self.came.set()

    def push_fullest(self) -> None:
        pass

    def backlog(self, more: bool) -> None:
        pass

    @property
    def lines(self) -> list[bytes]:
        return [line for part in self.parts for line in part.unpacked().lines]


Pipe = tuple[int, io.FileIO]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    receiver, sender = os.pipe()
    yield receiver, io.FileIO(sender, "wb")
    os.close(receiver)


async def test_lines_are_handed_on_when_they_come(pipe: Pipe, kept: Kept) -> None:
    receiver, sender = pipe
    piped = Piped(receiver)
    task = asyncio.create_task(piped.reader.run())
    for number in range(3):
        piped.came.clear()
        sender.write(kept(number) + b"\n")
        async with asyncio.timeout(20):
            await piped.came.wait()
    sender.close()
    await task
    assert piped.lines == [kept(0), kept(1), kept(2)]


async def test_a_last_line_without_newline_counts_and_so_does_one_in_pieces(pipe: Pipe, kept: Kept) -> None:
    receiver, sender = pipe
    piped = Piped(receiver)
    sender.write(cri_line(1, kept(1), tag="P") + kept(2))
    sender.close()
    await piped.reader.run()
    assert sorted(piped.lines) == [kept(1), kept(2)]


async def test_an_empty_pipe_is_nothing(pipe: Pipe) -> None:
    receiver, sender = pipe
    sender.close()
    piped = Piped(receiver)
    await piped.reader.run()
    assert piped.parts == []
    assert piped.metrics.registry.get_sample_value("shipper_lines_read_total") == 0


@pytest.mark.parametrize("size", [900_000, 2_500_000])
async def test_a_file_stands_in_for_a_pipe_whatever_the_length_of_its_lines(
    tmp_path: Path, kept: Kept, size: int
) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"".join(kept(number, size if number == 1 else 300) + b"\n" for number in range(5000)))
    with path.open("rb") as file:
        piped = Piped(file.fileno(), budget=1 << 30)
        await piped.reader.run()
    value = piped.metrics.registry.get_sample_value
    too_long = size > 1 << 20
    assert value("shipper_lines_read_total") == 5000
    assert (value("shipper_entries_dropped_total", {"reason": "line_too_long"}) or 0) == too_long
    assert len(piped.lines) == 5000 - too_long


async def test_the_other_program_waits_while_loki_is_slow(tmp_path: Path, kept: Kept) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(b"".join(kept(number, 1000) + b"\n" for number in range(5000)))
    with path.open("rb") as file:
        piped = Piped(file.fileno(), budget=1 << 20)
        task = asyncio.create_task(piped.reader.run())
        settled = 0
        while not task.done():
            held = sum(part.memory for part in piped.parts[settled:])
            assert held < 3 << 20
            if held >= 1 << 20:
                assert not task.done()
                piped.reader.settled(piped.parts[settled], 0)
                settled += 1
            await asyncio.sleep(0)
    assert len(piped.lines) == 5000
    assert settled


async def test_it_can_be_stopped_while_nothing_comes(pipe: Pipe) -> None:
    receiver, sender = pipe
    task = asyncio.create_task(Piped(receiver).reader.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    sender.close()
