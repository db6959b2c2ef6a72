"""Candidates: the lines that hold a literal, found in the block as a whole."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.pipeline.scan import candidates, count_lines

# few bytes, so that literals meet, overlap, and touch the ends of lines
LINES = st.lists(st.text(alphabet='"UT,\\u0 ', max_size=12).map(str.encode) | st.binary(max_size=6))
LITERALS = st.lists(st.sampled_from([b'"UT', b",UT", b"\\u00", b"U", b"TU", b"UTUT"]), min_size=1, unique=True)


def block(lines: list[bytes]) -> memoryview:
    return memoryview(b"".join(line.replace(b"\n", b"") + b"\n" for line in lines))


def found(data: memoryview, *literals: bytes) -> list[bytes]:
    return list(candidates(data, literals))


@given(LINES, LITERALS)
@example([b"U", b"", b"TU"], [b"UTU"])
def test_candidates_are_the_lines_that_hold_a_literal_in_order(lines: list[bytes], literals: list[bytes]) -> None:
    data = block(lines)
    whole = bytes(data).split(b"\n")[:-1]
    assert found(data, *literals) == [line for line in whole if any(literal in line for literal in literals)]


@given(LINES.map(lambda lines: lines * 40), LITERALS)
def test_where_hits_lie_close_they_are_the_same(lines: list[bytes], literals: list[bytes]) -> None:
    data = block(lines)
    whole = bytes(data).split(b"\n")[:-1]
    assert found(data, *literals) == [line for line in whole if any(literal in line for literal in literals)]


@given(LINES)
def test_lines_are_counted_by_their_newlines(lines: list[bytes]) -> None:
    assert count_lines(block(lines)) == len(lines)


@pytest.mark.parametrize("lines", [[], [b""], [b"", b"", b""], [b"DC,U", b"T"]])
def test_nothing_is_found_where_nothing_is(lines: list[bytes]) -> None:
    assert found(block(lines), b",UT", b'"UT') == []


def test_a_line_with_many_hits_comes_once() -> None:
    data = block([b"a", b'"UT","UT",UT "UT', b"b", b',UT"UT'])
    assert found(data, b'"UT', b",UT") == [b'"UT","UT",UT "UT', b',UT"UT']


def test_the_first_and_the_last_line_are_found() -> None:
    assert found(block([b"x", b"-", b"-", b"x"]), b"x") == [b"x", b"x"]


def test_a_part_of_a_buffer_is_searched_and_no_more() -> None:
    buffer = bytearray(b"UT before\nwith UT\nwithout\nUT after\n")
    assert found(memoryview(buffer)[10:26], b"UT") == [b"with UT"]
