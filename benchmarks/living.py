"""Logs that are being written while a shipper runs: what idling costs, and how late a line arrives.

A line's own time is when it was written, so the sink can tell its delay: one clock for writer and sink.
"""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from benchmarks.corpus import Lines, Pod, cri_line
from benchmarks.processes import Child
from benchmarks.shipper import Job, Shipper
from benchmarks.sink import Sink

SEED = 1
LINE_BYTES = 840
SETTLE = 3.0  # seconds from the start to the first measurement: what there is has been read by then
CALM = 13.0  # the same before idling: shippers look at everything each ten seconds, and the first time is dearer
ARRIVE_WITHIN = 20.0


@dataclass(frozen=True, slots=True)
class Idle:
    """What a shipper costs that has next to nothing to do."""

    files: int
    rate: float  # lines a second, in all files together
    core: float  # share of one core
    resident: int  # bytes


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from write to arrival."""

    lines: int
    p50: float
    p99: float
    most: float
    core: float  # share of one core
    pushes: int


class Logs:
    """Open logs of some pods, that lines can be added to."""

    def __init__(self, root: Path, files: int) -> None:
        """Each begins with one healthy line. Raises OSError."""
        self._lines = Lines.of_sidecar(SEED, LINE_BYTES)
        self._count = 0
        self._stack = ExitStack()
        self._files: list[BinaryIO] = []
        for number in range(files):
            path = Pod.of(number, SEED).log(root)
            path.parent.mkdir(parents=True)
            path.write_bytes(cri_line(time.time_ns(), self._lines.healthy[0]))
            if files <= 500:  # more are silent, and need no descriptor
                self._files.append(self._stack.enter_context(path.open("ab", buffering=0)))

    def __enter__(self) -> "Logs":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, *, kept: bool) -> None:
        """Add a line to the next file."""
        number = self._count
        self._count += 1
        content = self._lines.kept[number % 1024][1] if kept else self._lines.healthy[number % 1024]
        # a step that has no common divisor with the number of files: neighbours are not written in a row
        self._files[number * 7 % len(self._files)].write(cri_line(time.time_ns(), content))

    def write_for(self, seconds: float, rate: float, kept_each: int) -> int:
        """Add lines at an even pace, and keep one of so many; how many are kept."""
        begun, kept = time.monotonic(), 0
        for at in range(int(seconds * rate)):
            time.sleep(max(0.0, begun + at / rate - time.monotonic()))
            wanted = at % kept_each == kept_each - 1
            kept += wanted
            self.write(kept=wanted)
        time.sleep(max(0.0, begun + seconds - time.monotonic()))
        return kept


def idle(shipper: Shipper, sink: Sink, scratch: Path, *, files: int, rate: float, seconds: float) -> Idle:
    """Let it run beside logs that grow by `rate` lines a second in all, of which one in a hundred is kept."""
    with _running(shipper, sink, scratch, files, CALM) as (child, logs):
        before, begun = child.cpu(), time.monotonic()
        logs.write_for(seconds, rate, 100)
        core = (child.cpu() - before) / (time.monotonic() - begun)
        return Idle(files, rate, core, child.resident())


def latency(shipper: Shipper, sink: Sink, scratch: Path, *, files: int, rate: float, seconds: float) -> Latency:
    """Write only kept lines, at an even pace. Raises TimeoutError when not all arrive."""
    with _running(shipper, sink, scratch, files, SETTLE) as (child, logs):
        before, begun = child.cpu(), time.monotonic()
        written = logs.write_for(seconds, rate, 1)
        core = (child.cpu() - before) / (time.monotonic() - begun)
        while sink.seen().entries < written:
            if time.monotonic() - begun > seconds + ARRIVE_WITHIN:
                raise TimeoutError(f"{sink.seen().entries} of {written} lines have arrived")
            time.sleep(0.1)
        seen, delays = sink.seen(), sorted(sink.arrived()[1])
        return Latency(written, _at(delays, 0.5), _at(delays, 0.99), _at(delays, 1.0), core, seen.pushes)


@contextmanager
def _running(shipper: Shipper, sink: Sink, scratch: Path, files: int, settle: float) -> Iterator[tuple[Child, Logs]]:
    """A shipper that has settled, beside logs."""
    shutil.rmtree(scratch, ignore_errors=True)
    state = scratch / "state"
    state.mkdir(parents=True)
    sink.reset()
    job = Job(scratch / "logs", sink.url, state)
    try:
        with Logs(job.root, files) as logs, Child(shipper.command(job), state / "output.log") as child:
            time.sleep(settle)
            yield child, logs
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _at(delays: Sequence[int], quantile: float) -> float:
    """Seconds: the delay that so many do not exceed; `delays` are nanoseconds, sorted."""
    return delays[min(len(delays) - 1, int(quantile * len(delays)))] / 1e9
