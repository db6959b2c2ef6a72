"""Markdown for a ticket: tables that stay tables, and names that stay text."""

from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from shipper.explain.render import safe
from shipper.report.markdown import cell, markdown
from shipper.report.model import Report
from tests.report.hostile import NAME, hostile
from tests.report.test_table import nothing

READER = MarkdownIt("gfm-like", {"linkify": False, "html": True})


def rendered(text: str) -> str:
    return str(READER.render(text))


def test_every_row_is_a_row_of_a_table(report: Report) -> None:
    html = rendered(markdown(report))
    assert html.count("<tr>") - html.count("<thead>") == len(report.rows) + 5 + 5
    assert "<strong>Cause:</strong> 95 % (1,140 of 1,200) show a certificate of one issuer" in html
    assert html.count('<pre><code class="language-sh">') == len({(row.reason, row.side) for row in report.rows})


def test_hostile_names_stay_text(report: Report) -> None:
    said = markdown(hostile(report))
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)
    html = rendered(said)
    assert "<img" not in html
    assert "<a " not in html
    assert html.count("<h1>") == 0
    assert html.count("<tr>") == 6
    shown = NAME.encode("unicode_escape").decode().replace("<", "&lt;").replace(">", "&gt;")
    assert html.count(f"<code>{shown}</code>") == 8


@given(st.text(min_size=1).filter(lambda name: name.strip(" ") != ""))
def test_any_name_in_code_is_itself(name: str) -> None:
    html = rendered(f"| a |\n|---|\n| {cell(name)} |\n")
    assert f"<td><code>{escape(safe(name)).replace('&#x27;', chr(39))}</code></td>" in html


@pytest.mark.parametrize("name", ["`", "``a`", "a`", "|", "a|b`c", "\\", "\\|"])
def test_backticks_and_bars(name: str) -> None:
    assert f"<td><code>{name}</code></td>" in rendered(f"| a |\n|---|\n| {cell(name)} |\n")


def test_a_report_of_nothing() -> None:
    assert markdown(nothing()) == "## There was nothing to read: no line.\n"
