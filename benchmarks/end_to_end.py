"""One shipper, one corpus, one sink: what it cost, and whether exactly the expected entries have arrived.

A shipper that does not end by itself is stopped when all has arrived; each file's last line is a kept one, so all is
read by then.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.corpus import Corpus
from benchmarks.processes import Child
from benchmarks.shipper import Job, Shipper
from benchmarks.sink import Sink

GIVE_UP = 60.0  # seconds without an arrival
LOOK = 0.1  # seconds between looks at what has arrived


class Misdelivered(Exception):
    """Not exactly the expected entries have arrived."""


@dataclass(frozen=True, slots=True)
class Result:
    """One run, from the start of the process to its end (or to the last arrival, if it does not end by itself)."""

    size: int  # bytes of the corpus
    lines: int
    entries: int  # delivered
    cpu: float  # seconds, start-up included
    wall: float  # seconds, start-up included
    peak: int  # bytes of resident memory
    pushes: int
    pushed: int  # bytes of their bodies
    first_push: float  # seconds from the start of the process; 0: none


def run(shipper: Shipper, corpus: Corpus, sink: Sink, scratch: Path) -> Result:
    """Ship the corpus with no state from before. Raises Misdelivered, TimeoutError and OSError."""
    sink.reset()
    state = scratch / "state"
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    with Child(shipper.command(Job(corpus.root, sink.url, state)), state / "output.log") as child:
        cpu, wall = _to_its_end(child, state) if shipper.ends else _to_the_last_arrival(child, corpus, sink, state)
        peak = child.stop().peak
    seen = sink.seen()
    _check(shipper, corpus, sink, state)
    return Result(
        corpus.size,
        corpus.lines,
        seen.entries,
        cpu,
        wall,
        peak,
        seen.pushes,
        seen.size,
        seen.first - child.begun if seen.first else 0.0,
    )


def _to_its_end(child: Child, state: Path) -> tuple[float, float]:
    usage = child.wait(3600)
    if usage.code:
        raise Misdelivered(f"exit code {usage.code}\n{_last_words(state)}")
    return usage.cpu, usage.wall


def _to_the_last_arrival(child: Child, corpus: Corpus, sink: Sink, state: Path) -> tuple[float, float]:
    expected, before, moved = corpus.expected.entries, 0, time.monotonic()
    while (entries := sink.seen().entries) < expected:
        now = time.monotonic()
        if entries != before:
            before, moved = entries, now
        if now - moved > GIVE_UP or child.has_ended():
            raise Misdelivered(f"{entries} of {expected} entries came, and then no more\n{_last_words(state)}")
        time.sleep(LOOK)
    return child.cpu(), time.monotonic() - child.begun


def _check(shipper: Shipper, corpus: Corpus, sink: Sink, state: Path) -> None:
    arrived, _ = sink.arrived()
    expected = corpus.expected
    if shipper.unlike:
        expected, arrived = expected.without(shipper.unlike), arrived.without(shipper.unlike)
    wrong = list(expected.differences(arrived))
    if wrong:
        raise Misdelivered("\n".join([f"{len(wrong)} streams are wrong", *wrong[:5], _last_words(state)]))


def _last_words(state: Path) -> str:
    """The end of what the shipper has printed."""
    return (state / "output.log").read_text(errors="replace")[-2000:]
