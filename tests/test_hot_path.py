"""The hot path keeps its shape: no step of Python for a line that is not kept, and little more than its floor.

Nothing here depends on how fast a machine is: instructions are counted, and times are held against the floor measured
in the same process, in turns. Lines are short, so that whatever is done for each of them shows.
"""

import sys
import time
from collections.abc import Callable
from statistics import median
from types import FrameType
from typing import Any

import orjson
import pytest
from stringzilla import count, find

from shipper.config import LABELS
from shipper.entries import Entries, push_body
from shipper.fields import LINE_FIELDS
from shipper.model import Block, Target
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline, TargetPipeline
from tests.tickets import ticket

SIZE = 1 << 20
ROUNDS = 15
NOW = 1_790_000_000_000_000_000

# What a block may cost, in floors. Measured: 1.6, and 3.0 to 3.3. With a search for each literal the first was 2.2,
# with a loop over all lines and an object for each entry the second 3.8 to 4.2.
SPARSE = 1.95
DENSE = 3.6


def lines(number: int, flags: str, path: int) -> list[bytes]:
    """So many lines of an access log, all of one length."""
    body = '{"downstream_peer_uri_san":"spiffe://cluster.local/ns/shop/sa/a","path":"/%s","response_flags":"%s"}'
    content = (body % ("x" * path, flags)).encode()
    return [b"2026-11-23T10:30:00.%09dZ stdout F %b\n" % (at + 100_000_000, content) for at in range(number)]


def block(healthy: int, kept: int, path: int = 40) -> Block:
    """Healthy lines, and kept ones at its end."""
    return Block(None, 0, memoryview(b"".join([*lines(healthy, "-", path), *lines(kept, "UT", path)])))


def pipeline(rule: KeepRule = UT) -> TargetPipeline:
    names = [name for name in LABELS if name in LINE_FIELDS]
    target = Target("one", {"pod": "a"}, {"job": "mesh", "pod": "a"})
    return Pipeline(rule, Admission(names, 200, 500), (), SIZE).open(target)


def instructions(work: Callable[[], object]) -> int:
    """How many instructions of Python it takes."""
    counted = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal counted
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        counted += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return counted


def ratio(work: Callable[[], object], floor: Callable[[], object], times: int) -> float:
    """CPU of the one by that of the other: the median of rounds in which they take turns."""
    ratios = []
    for _ in range(ROUNDS):
        spent = []
        for one in (work, floor):
            begun = time.thread_time_ns()
            for _ in range(times):
                one()
            spent.append(time.thread_time_ns() - begun)
        ratios.append(spent[0] / spent[1])
    return median(ratios)


@pytest.mark.parametrize("rule", [UT, MTLS], ids=lambda rule: rule.name)
def test_a_line_that_is_not_kept_costs_no_instruction(rule: KeepRule) -> None:
    few, many, feeder = block(100, 3), block(4000, 3), pipeline(rule)
    instructions(lambda: feeder.feed(few, NOW))  # what is found once is remembered, by Python 3.13 also what is traced
    assert instructions(lambda: feeder.feed(few, NOW)) == instructions(lambda: feeder.feed(many, NOW))


def test_a_sparse_block_costs_little_more_than_searching_it() -> None:
    sparse, feeder = block(6000, 6), pipeline()
    data = sparse.data
    assert feeder.feed(sparse, NOW).kept == 6

    def search() -> None:
        count(data, b"\n")
        for literal in (b'"UT', b",UT", b"\\u00"):
            find(data, literal)

    assert ratio(lambda: feeder.feed(sparse, NOW), search, times=10) < SPARSE


def test_a_dense_block_costs_little_more_than_its_json() -> None:
    dense, feeder = block(0, 1200, path=700), pipeline()
    assert feeder.feed(dense, NOW).kept == 1200

    def whole_way() -> None:
        ((labels, kept),) = feeder.feed(dense, NOW).streams.items()
        push_body(labels, [Entries(labels, kept, ticket())])

    def split_and_load() -> None:
        for line in bytes(dense.data[:-1]).split(b"\n"):
            orjson.loads(line.split(b" ", 3)[3])

    assert ratio(whole_way, split_and_load, times=1) < DENSE
