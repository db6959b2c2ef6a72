"""Partial lines: joined in whatever order the parts of the streams come, bounded, and committed only when whole."""

import random
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.cri import CriLine
from shipper.pipeline.partial import Joiner, LogicalLine

FILE, NEXT_FILE = object(), object()
PARTS = st.lists(st.binary(max_size=5), min_size=1, max_size=4)


def part(content: bytes, *, partial: bool = True, stream: bytes = b"stdout", time: bytes = b"t1") -> CriLine:
    return CriLine(time, stream, partial, content)


def last(content: bytes, *, stream: bytes = b"stdout", time: bytes = b"t9") -> CriLine:
    return part(content, partial=False, stream=stream, time=time)


def as_lines(stream: bytes, contents: list[list[bytes]]) -> list[CriLine]:
    """What the runtime writes for these contents of one stream; every part has a time of its own."""
    return [
        CriLine(b"%d.%d" % (number, at), stream, at < len(parts) - 1, content)
        for number, parts in enumerate(contents)
        for at, content in enumerate(parts)
    ]


@given(st.lists(PARTS, max_size=4), st.lists(PARTS, max_size=4), st.randoms(use_true_random=False))
def test_interleaved_parts_become_the_lines_they_were(
    out: list[list[bytes]], err: list[list[bytes]], chance: random.Random
) -> None:
    joiner = Joiner(100)
    waiting = [as_lines(b"stdout", out), as_lines(b"stderr", err)]
    joined: dict[bytes, list[LogicalLine]] = {b"stdout": [], b"stderr": []}
    while waiting := [lines for lines in waiting if lines]:
        line = chance.choice(waiting).pop(0)
        if whole := joiner.add(line, FILE, 0):
            joined[line.stream].append(whole)
    for stream, contents in ((b"stdout", out), (b"stderr", err)):
        assert joined[stream] == [LogicalLine(b"%d.0" % at, b"".join(parts)) for at, parts in enumerate(contents)]
    assert not joiner
    assert list(joiner.flush()) == []


def test_a_full_line_of_the_other_stream_passes_an_open_one() -> None:
    joiner = Joiner(100)
    assert joiner.add(part(b"ab"), FILE, 0) is None
    assert joiner.add(last(b"whole", stream=b"stderr", time=b"t2"), FILE, 9) == LogicalLine(b"t2", b"whole")
    assert joiner.add(last(b"cd"), FILE, 20) == LogicalLine(b"t1", b"abcd")


def test_a_joiner_is_true_while_a_line_is_open() -> None:
    joiner = Joiner(100)
    assert not joiner
    joiner.add(part(b"a"), FILE, 0)
    joiner.add(part(b"b", stream=b"stderr"), FILE, 1)
    joiner.add(last(b"a"), FILE, 2)
    assert joiner
    joiner.add(last(b"b", stream=b"stderr"), FILE, 3)
    assert not joiner


@pytest.mark.parametrize(
    ("parts", "content"),
    [
        ([b"12345", b"67890"], b"1234567890"),
        ([b"12345", b"678901"], None),
        ([b"12345678901", b""], None),
        ([b"12345678901", b"1", b"2"], None),
        ([b"", b"1234567890", b""], b"1234567890"),
    ],
)
def test_a_line_may_be_as_long_as_the_limit_and_no_longer(parts: list[bytes], content: bytes | None) -> None:
    joiner = Joiner(10)
    for one in parts[:-1]:
        assert joiner.add(part(one), FILE, 0) is None
    assert joiner.add(last(parts[-1]), FILE, 0) == LogicalLine(b"t1", content)


def test_of_an_endless_line_nothing_is_kept_in_memory() -> None:
    joiner, content = Joiner(100), bytes(100)
    free = sys.getrefcount(content)
    joiner.add(part(content), FILE, 0)
    assert sys.getrefcount(content) > free
    joiner.add(part(b"x"), FILE, 1)
    joiner.add(part(content), FILE, 2)
    assert sys.getrefcount(content) == free


def test_after_a_line_that_was_too_long_the_next_is_whole_again() -> None:
    joiner = Joiner(10)
    joiner.add(part(b"x" * 11), FILE, 0)
    joiner.add(last(b"x"), FILE, 1)
    joiner.add(part(b"ab", time=b"t2"), FILE, 2)
    assert joiner.add(last(b"cd"), FILE, 3) == LogicalLine(b"t2", b"abcd")


# Offsets that a restart needs


def test_a_partial_line_limits_commits_to_its_first_part() -> None:
    joiner = Joiner(100)
    assert joiner.commit_limit(FILE) is None
    joiner.add(part(b"a"), FILE, 40)
    joiner.add(part(b"b"), FILE, 50)
    assert joiner.commit_limit(FILE) == 40
    joiner.add(last(b"c"), FILE, 60)
    assert joiner.commit_limit(FILE) is None


def test_of_two_partial_lines_the_earlier_is_the_limit() -> None:
    joiner = Joiner(100)
    joiner.add(part(b"a", stream=b"stderr"), FILE, 40)
    joiner.add(part(b"a"), FILE, 50)
    assert joiner.commit_limit(FILE) == 40
    joiner.add(last(b"b", stream=b"stderr"), FILE, 60)
    assert joiner.commit_limit(FILE) == 50


def test_a_line_across_a_rotation_holds_the_file_it_began_in() -> None:
    joiner = Joiner(100)
    joiner.add(part(b"a"), FILE, 40)
    joiner.add(part(b"b"), NEXT_FILE, 0)
    assert joiner.commit_limit(FILE) == 40
    assert joiner.commit_limit(NEXT_FILE) is None
    assert joiner.add(last(b"c"), NEXT_FILE, 10) == LogicalLine(b"t1", b"abc")
    assert joiner.commit_limit(FILE) is None


def test_a_line_that_is_too_long_holds_nothing() -> None:
    joiner = Joiner(10)
    joiner.add(part(b"x" * 10), FILE, 40)
    assert joiner.commit_limit(FILE) == 40
    joiner.add(part(b"x"), FILE, 60)
    assert joiner.commit_limit(FILE) is None
    assert joiner


# The end of a log


def test_a_log_that_ends_within_lines_gives_what_there_is() -> None:
    joiner = Joiner(10)
    joiner.add(part(b"ab", stream=b"stderr", time=b"t1"), FILE, 0)
    joiner.add(part(b"x" * 11, time=b"t2"), FILE, 5)
    joiner.add(part(b"c", stream=b"stderr", time=b"t3"), FILE, 20)
    assert list(joiner.flush()) == [LogicalLine(b"t1", b"abc"), LogicalLine(b"t2", None)]
    assert not joiner
    assert joiner.commit_limit(FILE) is None
    assert list(joiner.flush()) == []


def test_what_began_first_is_flushed_first_however_its_time_is_written() -> None:
    joiner = Joiner(10)
    joiner.add(part(b"first", time=b"2026-11-23T10:30:00.1Z"), FILE, 0)
    joiner.add(part(b"second", stream=b"stderr", time=b"2026-11-23T10:30:00.15Z"), FILE, 5)
    assert [line.content for line in joiner.flush()] == [b"first", b"second"]
