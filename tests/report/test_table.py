"""What a terminal shows: within its width, on one screen, and nothing that the terminal obeys."""

import re
from pathlib import Path

import pytest

from shipper.report.build import Builder
from shipper.report.gather import Gathered
from shipper.report.model import Report
from shipper.report.table import table
from tests.report.conftest import report_of
from tests.report.hostile import NAME, hostile

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [80, 93, 120, 200])
def test_it_fits_the_width(few: Report, width: int) -> None:
    lines = table(few, width, color=False, is_unicode=True).splitlines()
    assert max(map(len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)


def test_it_is_one_screen_that_names_the_cause(few: Report) -> None:
    said = table(few, 120, color=False, is_unicode=True)
    assert said.count("\n") <= 45
    assert said.startswith("1,200 connections failed")
    assert "95 % (1,140 of 1,200) show a certificate of one issuer CN=shop-ca-2025,O=cluster.local" in said
    assert "since 14:02:13, none in the 6 h 2 min before" in said


def test_colours_only_where_they_are_wanted(few: Report) -> None:
    assert ESCAPE.search(table(few, 120, color=True, is_unicode=True))
    assert "\x1b" not in table(few, 120, color=False, is_unicode=True)


def test_a_terminal_without_unicode(few: Report) -> None:
    said = table(few, 120, color=False, is_unicode=False)
    assert said.isascii()
    assert "@" in said


def test_a_name_is_neither_obeyed_nor_read_as_markup(few: Report) -> None:
    said = table(hostile(few), 200, color=False, is_unicode=True)
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)
    assert said.count(NAME.encode("unicode_escape").decode()) >= 2
    assert "\x1b]" not in table(hostile(few), 200, color=True, is_unicode=True)


def nothing() -> Report:
    """The report of no line."""
    return Builder(Gathered(), "nothing").report(8)


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    assert table(nothing(), 80, color=False, is_unicode=True) == "There was nothing to read: no line.\n"
    file = tmp_path / "healthy.log"
    file.write_bytes(b'{"response_flags":"-","response_code":200}\n')
    assert table(report_of(file), 80, color=False, is_unicode=True).startswith(
        "No failed handshake in 1 line of 1 log."
    )
