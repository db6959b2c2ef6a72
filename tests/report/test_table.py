"""What a terminal shows: within its width, on one screen, and nothing that the terminal obeys."""

import re
from pathlib import Path

import msgspec
import pytest

from shipper.report.model import Party, Report
from shipper.report.table import table
from tests.report.conftest import report_of

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def few(pods: Path) -> Report:
    return report_of(pods, rows=8)


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
    name = "spiffe://x/\x1b]0;owned\x07[bold]\u202e[/bold]\r\n:smile:"
    row = msgspec.structs.replace(few.rows[0], client=Party(name, "identity"))
    radius = msgspec.structs.replace(few.clients[0], party=row.client)
    [cause] = few.findings
    hostile = msgspec.structs.replace(
        few, rows=(row,), clients=(radius,), findings=(msgspec.structs.replace(cause, value=name),), notes=(name,)
    )
    said = table(hostile, 200, color=False, is_unicode=True)
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)
    assert said.count(r"spiffe://x/\x1b]0;owned\x07[bold]\u202e[/bold]\r\n:smile:") == 4
    assert "\x1b]" not in table(hostile, 200, color=True, is_unicode=True)


def test_nothing_to_read_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("empty") / "empty.log"
    file.touch()
    assert table(report_of(file), 80, color=False, is_unicode=True) == "There was nothing to read: no line.\n"
    file.write_bytes(b'{"response_flags":"-","response_code":200}\n')
    assert table(report_of(file), 80, color=False, is_unicode=True).startswith(
        "No failed handshake in 1 line of 1 log."
    )
