"""The container runtime's format: every way to write a line, and what is none."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.pipeline.cri import JSON_LINE, TEXT_CONTENT, TEXT_LINE, CriLine, split_line, without_colors

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


ATOMS = [
    b"{",
    b"}",
    b"[",
    TEXT_LOG,
    TIME,
    b" ",
    b"\t",
    b"\r",
    b" stdout F ",
    b" stderr F:x ",
    b" stdout X ",
    b" F {",
    b"x",
]
LINES = st.lists(st.lists(st.sampled_from(ATOMS), max_size=5).map(b"".join), max_size=6)


def content_of(line: bytes) -> bytes:
    parts = split_line(line)
    return line if parts is None else parts.content


@given(LINES)
@example([b"{a stdout F " + TEXT_LOG, b"x"])
@example([b"x", b" \t{a stdout F " + TEXT_LOG])
@example([TIME + b" stdout F " + TIME + b" stdout F " + TEXT_LOG])
@example([TIME + b" stdout F", b" {"])
def test_a_block_is_told_apart_as_its_lines_are(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    is_json = [content_of(line).lstrip(b" \t").startswith(b"{") for line in lines]
    is_text = [TEXT_CONTENT.match(content_of(line)) is not None for line in lines]
    assert len(JSON_LINE.findall(data)) == sum(is_json)
    assert len(TEXT_LINE.findall(data)) == sum(is_text)


@pytest.mark.parametrize(
    ("content", "is_text"),
    [
        (TEXT_LOG, True),
        (b'[2026-11-23T10:30:00.123Z] "- - -" 0 UF', True),
        (b'[2026-11-23T10:30:00.123+02:00] "', True),
        (b"[2026-11-23T10:30:00.123Z] GET", False),
        (b'[2026-11-23] "GET', False),
        (b'["a", "b"]', False),
        (b"[2026-11-23 10:30:00.123][18][warning][config] gRPC closed", False),
        (b"2026-11-23T10:30:00.123456Z\tinfo\tEnvoy proxy is ready", False),
        (b" " + TEXT_LOG, False),
    ],
)
def test_the_text_access_log_is_recognised_with_and_without_a_prefix(content: bytes, is_text: bool) -> None:
    assert (TEXT_CONTENT.match(content) is not None) == is_text
    for line in (content, TIME + b" stdout F " + content, TIME + b" stderr F:x " + content):
        assert (TEXT_LINE.search(b"x\n" + line + b"\n") is not None) == is_text
