"""Durations, sizes, plain values and variables."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config import GIB, KIB, MIB
from shipper.config.scalars import expand, look_back, resolved, seconds, size


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
    assert look_back("1h") == 3600
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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("on", True),
        ("Yes", True),
        ("TRUE", True),
        ("off", False),
        ("No", False),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("+12", 12),
        ("0.5", 0.5),
        (".5", 0.5),
        ("1.5e3", 1500.0),
        # what YAML 1.1 would make a surprise of
        ("y", "y"),
        ("010", "010"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e3", "1e3"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_a_plain_value(text: str, value: object) -> None:
    assert resolved(text) == value
    assert type(resolved(text)) is type(value)


ENVIRON = {"HOST": "loki", "EMPTY": "", "NESTED": "${HOST}"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${HOST}", "loki"),
        ("http://${HOST}:${PORT:-3100}/", "http://loki:3100/"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${HOST:-x}", "loki"),
        ("${NONE:-}", ""),
        ("$${HOST}", "${HOST}"),
        ("$$$$", "$$"),
        ("$$${HOST}", "$loki"),
        ("$HOST costs 5$", "$HOST costs 5$"),
        ("${NESTED}", "${HOST}"),
    ],
)
def test_variables_are_replaced(text: str, value: str) -> None:
    assert expand(text, ENVIRON) == value


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(ValueError, match=r"^the environment variable NONE is not set$"):
        expand("${HOST}${NONE}", ENVIRON)


@pytest.mark.parametrize("text", ["${", "${}", "${HOST", "${1}", "${HOST-x}", "${HOST:x}", "${A B}"])
def test_a_broken_variable_is_told_how(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected \$\{NAME\} or \$\{NAME:-default\}; a literal \$"):
        expand(text, ENVIRON)


@settings(deadline=None)
@given(st.text())
def test_any_text_survives_with_its_dollars_doubled(text: str) -> None:
    assert expand(text.replace("$", "$$"), {}) == text


@settings(deadline=None)
@given(st.integers(0, 3650 * 86400 - 1), st.integers(0, 999))
def test_a_duration_in_all_its_units(whole: int, millis: int) -> None:
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}h{minutes}m{rest}s{millis}ms"
    assert seconds(text) == pytest.approx(whole + millis / 1000)
