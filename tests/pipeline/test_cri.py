"""The container runtime's format: every way to write a line, and what is none."""

import pytest

from shipper.pipeline.cri import CriLine, split_line, without_colors

TIME = b"2026-11-23T10:30:00.123456789Z"
TEXT_LOG = b'[2026-11-23T10:30:00.123Z] "GET / HTTP/1.1" 504 UT'


@pytest.mark.parametrize("stream", [b"stdout", b"stderr"])
@pytest.mark.parametrize(
    ("tags", "partial"), [(b"F", False), (b"F:", False), (b"F:a:b", False), (b"P", True), (b"P:x", True)]
)
@pytest.mark.parametrize("content", [b"", b" ", b"{}", b"{ } ", b"a b  c", b"\xff\0\r", TIME + b" stdout F {}"])
def test_a_line_is_taken_apart_and_its_content_left_as_it_is(
    stream: bytes, tags: bytes, partial: bool, content: bytes
) -> None:
    line = b" ".join((TIME, stream, tags, content))
    assert split_line(line) == CriLine(TIME, stream, partial, content)


@pytest.mark.parametrize(("tags", "partial"), [(b"F", False), (b"P", True), (b"F:x", False)])
def test_an_empty_line_may_lack_the_blank_before_it(tags: bytes, partial: bool) -> None:
    assert split_line(TIME + b" stdout " + tags) == CriLine(TIME, b"stdout", partial, b"")


@pytest.mark.parametrize(
    ("colored", "content"),
    [
        (b"\x1b[36m{}\x1b[0m", b"{}"),
        (b" \x1b[1m\t\x1b[38;5;208m {} \x1b[0m\x1b[K\r", b"{} \x1b[0m\x1b[K\r"),  # of a screen, not of a colour
        (b"\x1b[1;36m\x1b[0m[x\x1b[0m \x1b[m \r", b"[x"),
        (b"{}\x1b[0m", b"{}"),
        (b"{\x1b[36m}", b"{\x1b[36m}"),
        (b"\x1b[36", b"\x1b[36"),
        (b"\x1b[36m", b""),
        (b"", b""),
    ],
)
def test_colors_around_a_line_are_no_part_of_it(colored: bytes, content: bytes) -> None:
    assert without_colors(colored) == content


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"{}",
        b"\x1b[36m{x stdout F y",
        b" \x1b[36m {}",
        b" \t{}",
        b"{ stdout F {}",
        b"{x stdout F {}",
        b"\t{x stderr P y",
    ],
)
def test_what_begins_with_a_brace_needs_no_prefix(line: bytes) -> None:
    assert split_line(line) == CriLine(b"", b"", False, line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"\t",
        b"\r",
        b"[]",
        b"no container's line at all",
        TIME,
        TIME + b" stdout",
        TIME + b" stdin F {}",
        TIME + b" STDOUT F {}",
        TIME + b" stdout f {}",
        TIME + b" stdout X {}",
        TIME + b" stdout FP {}",
        TIME + b" stdout :F {}",
        TIME + b" stdout  F {}",
        TIME + b"  stdout F {}",
        TIME + b"\tstdout\tF\t{}",
        b" stdout F {}",
        b" " + TIME + b" stdout F {}",
        b"\xef\xbb\xbf{}",
        TEXT_LOG,
    ],
)
def test_what_is_no_line_of_a_container(line: bytes) -> None:
    assert split_line(line) is None
