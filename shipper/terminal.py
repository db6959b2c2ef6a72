"""Standard output of the commands: whether it shows colours, and what to do when nobody reads it any more."""

import os
import sys
from collections.abc import Mapping
from typing import TextIO


def shows_colors(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether it is a terminal that can show colours and its user has not refused them (https://no-color.org)."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def discard_output() -> None:
    """Standard output is closed or full: drop what is buffered, which Python would try to write again at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
