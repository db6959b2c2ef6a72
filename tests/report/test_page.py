"""The page of HTML: it needs nothing else, and nothing that a peer has chosen becomes a part of it."""

import re
from html.parser import HTMLParser

import pytest

from shipper.report.model import Report
from shipper.report.page import page
from tests.report.hostile import NAME, hostile
from tests.report.test_table import nothing

VOID = {"meta", "br", "path", "rect"}


class Tree(HTMLParser):
    """What a browser finds."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def said(report: Report) -> str:
    return page(report)


def test_it_needs_no_script_no_other_file_and_no_network(said: str) -> None:
    tree = Tree(said)
    assert tree.open == []
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(tree.tags)
    names = {name for name, _ in tree.attributes}
    assert not {"src", "href", "srcset", "action"} & names
    assert not {name for name in names if name.startswith("on")}
    assert "url(" not in said
    assert "default-src &#39;none&#39;" in said or "default-src 'none'" in said


def test_it_is_light_and_dark(said: str) -> None:
    assert "prefers-color-scheme: dark" in said
    variables = [set(re.findall(r"(--[a-z0-9]+):", part)) for part in re.findall(r":root \{(.*?)\}", said, re.DOTALL)]
    assert len(variables) == 2
    assert variables[0] == variables[1]


def test_it_says_the_cause_and_every_row(said: str, report: Report) -> None:
    text = " ".join("".join(Tree(said).texts).split())
    assert "95 % (1,140 of 1,200) show a certificate of one issuer CN=shop-ca-2025,O=cluster.local" in text
    assert text.count("evidence and what to run") == len(report.rows)
    assert said.count('<svg class="plot"') == 1


def test_hostile_names_stay_text(report: Report) -> None:
    said = page(hostile(report))
    tree = Tree(said)
    assert tree.open == []
    assert "img" not in tree.tags
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)
    shown = NAME.encode("unicode_escape").decode()
    assert sum(shown in text for text in tree.texts) >= 6
    assert "49" not in [text.strip() for text in tree.texts]


def test_a_report_of_nothing() -> None:
    assert "There was nothing to read" in page(nothing())
