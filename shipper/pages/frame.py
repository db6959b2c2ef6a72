"""What all pages have in common: head, navigation, tables that become lists on a narrow screen."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from shipper import __version__
from shipper.pages.facts import Facts
from shipper.pages.html import Html, element, joined

_PAGES: Final = (("/", "Overview"), ("/targets", "Logs"), ("/config", "Configuration"), ("/metrics", "Metrics"))


class Column(NamedTuple):
    """A column's head, and whether it holds numbers."""

    head: str | Html
    label: str  # of its cells, where the table is a list
    is_number: bool = False


def page(facts: Facts, path: str, title: str, *content: Html | None) -> Html:
    """A whole document."""
    where = f" on {facts.node}" if facts.node else ""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} · mtls-shipper{where}"),
        element("link", rel="stylesheet", href="/style.css"),
    )
    links = [
        element("a", name, href=target, aria_current="page" if target == path else None) for target, name in _PAGES
    ]
    banner = element(
        "header",
        element(
            "div",
            element("span", "mtls-shipper", class_="brand"),
            element("span", __version__, class_="version"),
            element("span", facts.node, class_="node") if facts.node else None,
            class_="name",
        ),
        element("nav", *links, aria_label="Pages"),
    )
    body = element("body", banner, element("main", element("h1", title, class_="unseen"), *content))
    return joined(Html("<!doctype html>\n"), element("html", head, body, lang="en"))


def section(title: str, *content: Html | str | None, note: str = "") -> Html:
    """A part of a page, with a heading."""
    said = element("p", note, class_="note") if note else None
    return element("section", element("h2", title), said, *content)


def table(columns: Sequence[Column], rows: Iterable[Sequence[Html | str]]) -> Html:
    """A table; on a narrow screen each row is a list of its cells with their labels."""
    head = [element("th", one.head, scope="col", class_="number" if one.is_number else None) for one in columns]
    body = [element("tr", *(_cell(column, cell) for column, cell in zip(columns, row, strict=True))) for row in rows]
    return element("table", element("thead", element("tr", *head)), element("tbody", *body))


def _cell(column: Column, cell: Html | str) -> Html:
    return element("td", cell, data_label=column.label, class_="number" if column.is_number else None)


def bar(part: float) -> Html:
    """A bar of this part of its width, 0 to 1."""
    width = f"{100 * min(1.0, max(0.0, part)):.1f}%"
    return element("svg", element("rect", width=width, height="100%"), class_="bar", aria_hidden="true")
