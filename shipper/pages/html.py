"""Writes HTML: every text is escaped, for names in logs may hold anything; only what is written here is markup."""

import html
from collections.abc import Iterable
from typing import Final

_VOID: Final = frozenset({"input", "link", "meta", "rect", "br"})  # have no content, so they have no end


class Html(str):
    """Markup, whose texts are escaped."""

    __slots__ = ()


def element(tag: str, /, *children: "Html | str | int | None", **attributes: str | int | bool | None) -> Html:
    """`<tag attribute="value">children</tag>`.

    A child that is None, and an attribute that is None or False, is left out; `class_` is `class`, `data_label` is
    `data-label`.
    """
    begin = "".join((f"<{tag}", *(_attribute(key, value) for key, value in attributes.items()), ">"))
    return Html(begin if tag in _VOID else f"{begin}{joined(*children)}</{tag}>")


def joined(*children: "Html | str | int | None") -> Html:
    """Markup and texts behind each other."""
    return Html("".join(map(_markup, children)))


def lines(texts: Iterable[str]) -> Html:
    """Texts, each on a line of its own, for what keeps its line breaks."""
    return Html("".join(f"{_markup(text)}\n" for text in texts))


def printable(text: str) -> str:
    r"""The text, with what is not to be seen, or turns the direction of others, written as `\x1b` or `\u202e`."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _markup(child: "Html | str | int | None") -> str:
    if child is None or isinstance(child, Html):
        return child or ""
    return html.escape(printable(str(child)))


def _attribute(key: str, value: str | int | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_markup(str(value))}"'
