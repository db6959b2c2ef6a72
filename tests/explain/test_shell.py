"""A command over several lines is the same command."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.explain.ambient import COMMANDS
from shipper.explain.shell import folded
from shipper.explain.texts import TEXTS

ALL = sorted(
    {command for text in TEXTS.values() for command in text.next} | {one for some in COMMANDS.values() for one in some}
)


@given(st.sampled_from(ALL), st.integers(30, 200))
def test_a_shell_reads_the_lines_as_the_command(command: str, width: int) -> None:
    lines = list(folded(command, width))
    as_one = "\n".join(lines).replace("\\\n", "")  # as a shell begins
    assert shlex.split(as_one) == shlex.split(command)
    assert [line for line in lines if len(line) > width and len(shlex.split(line.rstrip("\\"))) > 1] == []


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("istioctl -h", ["istioctl -h"]),
        ("kubectl get pods -A", ["kubectl get \\", "  pods -A"]),
        ("grep -iE 'ca client|cert'", ["grep -iE \\", "  'ca client|cert'"]),
        ("", [""]),
    ],
)
def test_lines_end_between_words(command: str, lines: list[str]) -> None:
    assert list(folded(command, 16)) == lines
