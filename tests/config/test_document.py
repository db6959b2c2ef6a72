"""Plain values and variables."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config.document import expand, resolved


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
