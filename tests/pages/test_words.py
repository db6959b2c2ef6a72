"""Numbers as a page has them."""

import pytest

from shipper.pages.words import moment, number, size, span


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 KiB"), (1536, "1.5 KiB"), (200 << 10, "200 KiB"), (1 << 20, "1.0 MiB"),
     (5 << 40, "5.0 TiB"), (5 << 50, "5120 TiB")],
)  # fmt: skip
def test_a_size(value: int, said: str) -> None:
    assert size(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(-1, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90000, "1 d 1 h")]
)
def test_a_span(seconds: float, said: str) -> None:
    assert span(seconds) == said


def test_a_number_and_a_time() -> None:
    assert (number(1234567), moment(0)) == ("1,234,567", "1970-01-01 00:00:00 UTC")
