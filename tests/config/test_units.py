"""Durations and sizes, read and printed."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config.units import GIB, KIB, MIB, LookBack, duration_text, look_back, seconds, size, size_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250ms", 0.25),
        ("1s", 1),
        ("5m", 300),
        ("1h", 3600),
        ("7d", 604800),
        ("1m30s", 90),
        ("1d2h3m4s5ms", 93784.005),
        ("0.5s", 0.5),
        ("0s", 0),
        ("30", 30),
        ("0.25", 0.25),
        (30, 30),
        (0.25, 0.25),
        (0, 0),
    ],
)
def test_a_duration(text: object, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "s", "1x", "1 s", "-1s", "30s1m", "1s1s", "1mm", "1S", "\u0663s", "1e3s", "1e999", "9999999d"),
        *(-1, -0.5, True, None, math.inf, math.nan, 10**99, [1], {"a": 1}),
    ],
)
def test_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match=r"^expected a duration such as 250ms, 30s or 1m30s, got ."):
        seconds(text)


def test_look_back_is_all_or_a_duration() -> None:
    assert look_back("all") == math.inf
    assert look_back("1h") == LookBack(3600)
    with pytest.raises(ValueError, match=r"^expected all, or a duration such as 1h, got 'none'$"):
        look_back("none")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1MiB", MIB), ("256KiB", 256 * KIB), ("1GiB", GIB), ("512B", 512), ("512", 512), (512, 512), (0, 0)],
)
def test_a_size(text: object, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "MiB", "1 MiB", "-1", "1TiB", "1mib!", "\u0663B", -1, 1.5, True, None, []])
def test_no_size(text: object) -> None:
    with pytest.raises(ValueError, match=r"^expected a size such as 256KiB or 1MiB, got ."):
        size(text)


@pytest.mark.parametrize(
    ("text", "unit"), [("1MB", "MiB"), ("1M", "MiB"), ("64kB", "KiB"), ("1.5GiB", "GiB"), ("2 Gi", "GiB")]
)
def test_a_size_in_another_unit_is_told_the_right_one(text: str, unit: str) -> None:
    with pytest.raises(ValueError, match=f"; write whole {unit}$"):
        size(text)


@settings(deadline=None)
@given(st.integers(0, 3650 * 86400 - 1), st.integers(0, 999))
def test_a_duration_in_all_its_units(whole: int, millis: int) -> None:
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h{minutes}m{rest}s{millis}ms"
    assert seconds(text) == pytest.approx(whole + millis / 1000)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0s"), (0.25, "250ms"), (1.5, "1500ms"), (1, "1s"), (90, "90s"), (60, "1m"), (7200, "2h"), (604800, "7d")],
)
def test_a_duration_is_printed_in_its_largest_unit(amount: float, text: str) -> None:
    assert duration_text(amount) == text
    assert seconds(text) == amount


@given(st.integers(0, 3650 * 86400_000))
def test_any_printed_duration_is_read_as_the_same(millis: int) -> None:
    assert round(seconds(duration_text(millis / 1000)) * 1000) == millis


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0B"), (1000, "1000B"), (64 * KIB, "64KiB"), (1536 * KIB, "1536KiB"), (3 * GIB, "3GiB")]
)
def test_a_size_is_printed_in_its_largest_unit(amount: int, text: str) -> None:
    assert size_text(amount) == text
    assert size(text) == amount
