"""The container runtime's format: every way to write a line and a time, and what is neither."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.pipeline.cri import JSON_LINE, TEXT_CONTENT, TEXT_LINE, CriLine, parse_time, split_line

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000_000
TIME = b"2026-11-23T10:30:00.123456789Z"
TEXT_LOG = b'[2026-11-23T10:30:00.123Z] "GET / HTTP/1.1" 504 UT'

# Times


def offset_text(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


MOMENTS = st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31, 23, 59, 59))  # noqa: DTZ001 the offset is drawn apart
DIGITS = st.text("0123456789", max_size=12)
OFFSETS = st.just("Z") | st.integers(-23 * 60 - 59, 23 * 60 + 59).map(offset_text)


def written(moment: datetime, digits: str, offset: str) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}".zfill(19) + (f".{digits}" if digits else "") + offset


TIMES = st.builds(written, MOMENTS, DIGITS, OFFSETS)


@given(MOMENTS, DIGITS, OFFSETS)
@example(datetime(1970, 1, 1), "", "Z")  # noqa: DTZ001
@example(datetime(1969, 12, 31, 23, 59, 59), "999999999999", "Z")  # noqa: DTZ001
@example(datetime(2024, 2, 29), "000000001", "-23:59")  # noqa: DTZ001
def test_a_time_is_what_datetime_says_to_the_nanosecond(moment: datetime, digits: str, offset: str) -> None:
    text = written(moment, digits, offset)
    whole_second = datetime.fromisoformat(text[:19] + offset.replace("Z", "+00:00"))
    nanos = (whole_second - EPOCH) // timedelta(seconds=1) * SECOND + int(digits.ljust(9, "0")[:9])
    assert parse_time(text.encode()) == nanos


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        (b"1970-01-01T00:00:00Z", 0),
        (b"1970-01-01T00:00:00.000000001Z", 1),
        (b"1970-01-01T00:00:00.1Z", SECOND // 10),
        (b"1970-01-01T00:00:00.0000000019Z", 1),
        (b"1970-01-01T02:00:00+02:00", 0),
        (b"1970-01-01T05:30:00.5+05:30", SECOND // 2),
        (b"1969-12-31T16:00:00-08:00", 0),
        (b"1969-12-31T23:59:59.9Z", -SECOND // 10),
        (b"2026-11-23T10:30:00.123456789Z", 1795429800_123456789),
        (b"2024-02-29T00:00:00-00:00", 1709164800 * SECOND),
    ],
)
def test_times_worked_out_by_hand(text: bytes, nanos: int) -> None:
    assert parse_time(text) == nanos


GRAMMAR = re.compile(
    rb"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
)


def is_time(text: bytes) -> bool:
    if not GRAMMAR.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text[:19].decode())
    except ValueError:
        return False
    return True


@st.composite
def nearly_times(draw: st.DrawFn) -> bytes:
    """A time, with a few of its characters replaced, taken out or doubled."""
    text = list(draw(TIMES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text) - 1))
        text[at : at + 1] = draw(st.lists(st.sampled_from([*"0123456789-+:.TZtz \n٣", text[at]]), max_size=2))
        text = text or ["Z"]
    return "".join(text).encode()


@given(nearly_times() | st.binary(max_size=40))
def test_what_the_grammar_does_not_know_is_no_time(text: bytes) -> None:
    assert (parse_time(text) is not None) == is_time(text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Z",
        b"yesterday",
        b"2026-11-23",
        b"2026-11-23T10:30:00",
        b"2026-11-23T10:30:00.123",
        b"2026-11-23T10:30:00.Z",
        b"2026-11-23T10:30:00,5Z",
        b"2026-11-23T10:30:00.1 Z",
        b"2026-11-23T10:30:00.+1Z",
        b"2026-11-23T10:30:00.1_0Z",
        b"2026-11-23 10:30:00Z",
        b"2026-11-23t10:30:00z",
        b"2026-11-23T10:30Z",
        b"2026-11-23T10:30:00+0200",
        b"2026-11-23T10:30:00+02",
        b"2026-11-23T10:30:00+24:00",
        b"2026-11-23T10:30:00+02:60",
        b"2026-11-23T10:30:00+02:00Z",
        b"2026-11-23T24:00:00Z",
        b"2026-11-23T10:60:00Z",
        b"2026-11-23T10:30:60Z",
        b"2026-13-23T10:30:00Z",
        b"2025-02-29T10:30:00Z",
        b"2026-11-00T10:30:00Z",
        b"0000-01-01T00:00:00Z",
        b"2026-11-23T10:30:00Z\n",
        b" 2026-11-23T10:30:00Z",
        b"-026-11-23T10:30:00Z",
        "2026-11-23T10:30:0٣Z".encode(),
        b"1795429800.123",
    ],
)
def test_nonsense_is_no_time(text: bytes) -> None:
    assert parse_time(text) is None


# Lines


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


@pytest.mark.parametrize("line", [b"{", b"{}", b" \t{}", b"{ stdout F {}", b"{x stdout F {}", b"\t{x stderr P y"])
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
        TIME + b" stdout F",
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
