import io
from typing import TextIO

import pytest

from lab.ink import Ink, chosen, coloured, plain


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "ink"),
    [
        (Terminal(), {"TERM": "xterm"}, coloured),
        (Terminal(), {}, coloured),
        (Terminal(), {"NO_COLOR": ""}, coloured),  # the convention: set, and not empty
        (Terminal(), {"NO_COLOR": "1"}, plain),
        (Terminal(), {"TERM": "dumb"}, plain),
        (io.StringIO(), {"TERM": "xterm"}, plain),
    ],
)
def test_colours_are_for_a_terminal_that_wants_them(stream: TextIO, environ: dict[str, str], ink: Ink) -> None:
    assert chosen(stream, environ) is ink


def test_a_column_of_no_meaning_keeps_its_colour() -> None:
    assert coloured("client", "checkout") == "checkout"
    assert coloured("failure_reason", "   ") == "   "


def test_what_is_missing_is_red_and_what_is_there_green() -> None:
    assert coloured("keep: ut", "-   ") == "\x1b[31m-   \x1b[0m"
    assert coloured("keep: mtls", "1") == "\x1b[32m1\x1b[0m"
