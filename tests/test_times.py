"""Times to nanoseconds: every way to write one, and what is none."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shipper.times import SECOND, parse_go_time, parse_iso_time, parse_time, parse_times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


@given(st.lists(st.builds(str.encode, TIMES) | nearly_times(), min_size=1, max_size=5))
@example([b"2026-11-23T10:30:00.1Z", b"2026-11-23T10:30:00.000000002Z", b"2026-11-23T10:30:01.5Z", b""])
def test_many_times_at_once_are_what_each_is_alone(texts: list[bytes]) -> None:
    assert parse_times(texts) == list(map(parse_time, texts))


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01 00:00:00.000000001 +0000 UTC", 1),
        ("1970-01-01 02:00:00.5 +0200 CEST m=+0.1", SECOND // 2),
        ("1970-01-01T05:30:00+05:30, and more", 0),
        ("1970-01-01 00:00:00", None),
        ("1970-13-01T00:00:00Z", None),
        ("at 1970-01-01T00:00:00Z", None),
    ],
)
def test_a_time_as_go_prints_it(text: str, nanos: int | None) -> None:
    assert parse_go_time(text) == nanos


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1970-01-01T00:00:00.5Z", SECOND // 2),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01 02:00+02:00", 0),
        ("1970-01-02", 86400 * SECOND),
        ("1969-12-31T23:59:59.999999Z", -1000),
        ("Jan  1 00:00:00 1970 GMT", None),
        ("", None),
    ],
)
def test_an_iso_time_without_a_zone_is_utc(text: str, nanos: int | None) -> None:
    assert parse_iso_time(text) == nanos
