"""The stages of the agent's way one by one: microseconds per line, or per block.

Measured on one block in this process, where it is warm: what a stage costs at least. The sum is less than a run costs;
the difference is memory, and what holds the stages together.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import snappy

from benchmarks.corpus import Lines, Pod, cri_line
from shipper.fields import KEYS
from shipper.model import Block, Columns, Target
from shipper.pipeline.cri import split_line
from shipper.pipeline.keep import MTLS, UT
from shipper.pipeline.labels import Admission, LabelSets
from shipper.pipeline.pipeline import Pipeline
from shipper.pipeline.record import parse_record, text
from shipper.pipeline.scan import Scanner, count_lines, lines_at
from shipper.times import parse_time
from shipper.wire import encode_entries

BLOCK = 1 << 20
LINE_BYTES = 840
NAMES = ("response_flags", "termination_details", "source_san")
NOW = 1_790_000_000_000_000_000  # any time


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's cost."""

    name: str
    per: str  # `block` of 1 MiB, or `line`
    micros: float


def block_of(share: float) -> bytes:
    """A block of whole lines, in which so many of a hundred are kept: evenly, with no random choice."""
    lines, out, size, kept = Lines.of_sidecar(1, LINE_BYTES), list[bytes](), 0, 0.0
    while size < BLOCK - LINE_BYTES:
        kept += share
        at = len(out)
        content = lines.kept[at % 1024][1] if kept >= 1 else lines.healthy[at % 1024]
        kept -= kept >= 1
        out.append(cri_line(NOW + at * 600_011, content))
        size += len(out[-1])
    return b"".join(out)


def target() -> Target:
    """A target as the agent would describe it."""
    pod = Pod.of(0, 1)
    fields = {"namespace": pod.namespace, "app": pod.app, "pod": pod.name}
    return Target("one", fields, {"job": "kubernetes-pods-istio-proxy", **fields})


def measure(rounds: int) -> list[Stage]:
    """All stages, medians of so many rounds."""
    return [Stage(name, per, statistics.median(_micros(work, rounds)) / count) for name, per, count, work in _stages()]


def _stages() -> list[tuple[str, str, int, Callable[[], object]]]:
    """Name, unit, how many of the unit a call handles, and the call."""
    sparse, dense = memoryview(block_of(0.01)), block_of(1.0)
    lines = dense[:-1].split(b"\n")
    parts = [part for line in lines if (part := split_line(line))]
    records = [record for part in parts if (record := parse_record(part.content))]
    kept = Columns([parse_time(part.time) or 0 for part in parts], [part.content for part in parts])
    entries = encode_entries(kept)
    sets = LabelSets("one", target().labels, Admission(NAMES, 200, 500))
    pipeline = Pipeline(UT, Admission(NAMES, 200, 500), (), BLOCK).open(target())
    scanner, many = Scanner(MTLS.patterns), len(lines)
    return [
        (
            "scan, 1 % kept",
            "block",
            1,
            lambda: (lines_at(sparse, scanner.scan(sparse).ends), count_lines(sparse)),
        ),
        ("pipeline, 1 % kept", "block", 1, lambda: pipeline.feed(Block(None, 0, sparse), NOW)),
        ("scan", "line", many, lambda: (scanner.scan(memoryview(dense)), dense[:-1].split(b"\n"), count_lines(sparse))),
        ("cri", "line", many, lambda: [split_line(line) for line in lines]),
        ("parse", "line", many, lambda: [parse_record(part.content) for part in parts]),
        ("time", "line", many, lambda: [parse_time(part.time) for part in parts]),
        ("keep", "line", many, lambda: [UT.judge(record) for record in records]),
        (
            "labels",
            "line",
            many,
            lambda: [sets.text(tuple([text(one, KEYS[name]) for name in NAMES])) for one in records],
        ),
        ("pipeline", "line", many, lambda: pipeline.feed(Block(None, 0, memoryview(dense)), NOW)),
        ("wire", "line", many, lambda: encode_entries(kept)),
        ("snappy", "line", many, lambda: snappy.compress(entries)),
    ]


def _micros(work: Callable[[], object], rounds: int) -> list[float]:
    work()
    spent = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        spent.append((time.perf_counter() - begun) * 1e6)
    return spent
