"""The search: lines that match a pattern, found in the block as a whole."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipper.pipeline.keep import MTLS
from shipper.pipeline.scan import SAMPLE_BYTES, SAMPLE_HITS, Scanner, count_lines, lines_at

# few bytes, so that hits meet, overlap, and touch the ends of lines
LINES = st.lists(st.text(alphabet='"UT,\\u0 P', max_size=12).map(str.encode) | st.binary(max_size=6))
PATTERNS = st.lists(
    st.sampled_from([rb'"UT', rb"[^A-Za-z]UT", rb"\\u00", rb"U", rb"TU", rb"UTUT"]), min_size=1, unique=True
)
PARTIAL = st.sampled_from([b"t stdout P x", b"t stderr P:a x", b" stdoutP", b"stdout P", b"t stdout F x"])


def block(lines: list[bytes]) -> memoryview:
    return memoryview(b"".join(line.replace(b"\n", b"") + b"\n" for line in lines))


def found(data: memoryview, *patterns: bytes) -> list[bytes]:
    """The lines to be looked at: all of them where hits lie close together."""
    ends = Scanner(patterns).scan(data).ends
    return bytes(data[:-1]).split(b"\n") if ends is None else list(lines_at(data, ends))


@given(LINES, PATTERNS)
@example([b"U", b"", b"TU"], [b"UTU"])
@example([b"", b"UT"], [rb"[^A-Za-z]UT"])  # what stands before is the end of another line
def test_the_lines_that_match_are_found_in_order(lines: list[bytes], patterns: list[bytes]) -> None:
    data = block([line for line in lines if b" P" not in line][: SAMPLE_HITS // 12])
    text, starts = bytes(data), [0, *(match.end() for match in re.finditer(b"\n", bytes(data)))]
    ends = {match.end(1) for one in patterns for match in re.finditer(b"(?=(" + one + b"))", text)}
    expected = [
        text[at : text.index(b"\n", at)] for at in starts[:-1] if any(at < end <= text.index(b"\n", at) for end in ends)
    ]
    assert found(data, *patterns) == expected


@settings(max_examples=50)
@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([1, 200, SAMPLE_BYTES, 2 * SAMPLE_BYTES]))
def test_where_hits_lie_close_every_line_is_to_be_looked_at(before: int, behind: int, size: int) -> None:
    hit, none = b"x" * size + b"UT", b"y" * size
    data = block([hit] * before + [none] + [hit] * behind)
    lines = found(data, b"UT")
    assert lines in ([hit] * (before + behind), [hit] * before + [none] + [hit] * behind)
    if size >= SAMPLE_BYTES:
        assert none not in lines
    if size < SAMPLE_BYTES / 2 and before >= SAMPLE_HITS:
        assert none in lines


@pytest.mark.parametrize(("share", "is_dense"), [(0.4, False), (0.6, False), (0.9, True), (1.0, True)])
def test_a_block_is_dense_where_most_lines_match_at_both_ends(share: float, is_dense: bool) -> None:
    lines = [b"x" * 100 + (b"UT" if at * share % 1 < share else b"") for at in range(1000)]
    assert (Scanner([b"UT"]).scan(block(lines)).ends is None) == is_dense
    hits = [line for line in lines if line.endswith(b"UT")]
    assert found(block(lines), b"UT") == (lines if is_dense else hits)


def test_a_burst_does_not_make_the_block_dense() -> None:
    data = block([b"x" * 100 + b"UT"] * 2 * SAMPLE_HITS + [b"x" * 100] * 1000)
    assert found(data, b"UT") == [b"x" * 100 + b"UT"] * 2 * SAMPLE_HITS


@given(LINES, st.lists(PARTIAL, max_size=3), st.sampled_from([0, SAMPLE_HITS]))
def test_partial_lines_are_noticed_wherever_they_stand(lines: list[bytes], partial: list[bytes], hits: int) -> None:
    data = block([*[b"UT"] * hits, *lines, *partial])
    expected = b" stdout P" in bytes(data) or b" stderr P" in bytes(data)
    assert Scanner([b"UT"]).scan(data).has_partial == expected


@given(LINES)
def test_lines_are_counted_by_their_newlines(lines: list[bytes]) -> None:
    assert count_lines(block(lines)) == len(lines)


@pytest.mark.parametrize("lines", [[], [b""], [b"", b"", b""], [b"DC,U", b"T"]])
def test_nothing_is_found_where_nothing_is(lines: list[bytes]) -> None:
    assert list(lines_at(block(lines), Scanner([b",UT", b'"UT']).scan(block(lines)).ends or [])) == []


def test_a_line_with_many_hits_comes_once() -> None:
    data = block([b"a", b'"UT","UT",UT "UT', b"b", b',UT"UT'])
    assert found(data, b'"UT', b",UT") == [b'"UT","UT",UT "UT', b',UT"UT']


def test_the_first_and_the_last_line_are_found() -> None:
    assert found(block([b"x", b"-", b"-", b"x"]), b"x") == [b"x", b"x"]


def test_a_part_of_a_buffer_is_searched_and_no_more() -> None:
    buffer = bytearray(b"UT before\nwith UT\nwithout\nUT after\n")
    assert found(memoryview(buffer)[10:26], b"UT") == [b"with UT"]


@pytest.mark.parametrize("pattern", MTLS.patterns)
def test_a_pattern_is_one_literal_to_the_search(pattern: bytes) -> None:
    """More than eight literals need another search, at a third of the speed: no class may be narrow."""
    assert not re.search(rb"\[[^^]", pattern)
    assert len(MTLS.patterns) + 2 <= 8
