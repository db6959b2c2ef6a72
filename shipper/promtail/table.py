"""Tables of conversions by key: each key that Promtail knows has one, so that none is ignored silently.

A conversion is a callable that gets the draft and the node. The conversions that many sections need are made here.
"""

from collections.abc import Callable, Mapping
from typing import Final

from shipper.config.document import Path
from shipper.config.errors import did_you_mean, key_shown, shown
from shipper.promtail import values
from shipper.promtail.draft import Draft
from shipper.promtail.node import Node

Conversion = Callable[[Draft, Node], None]
Table = Mapping[str, Conversion]

_OFF: Final = ("", "false", "0", "0s")


def apply(table: Table, draft: Draft, section: Node) -> None:
    """Convert each key of a section with its conversion of the table; an unknown key is noted."""
    if section.value is not None and not isinstance(section.value, dict):
        draft.warn(section, "Promtail expects a mapping here")
    for key, node in section.items():
        if convert := table.get(key):
            convert(draft, node)
        else:
            known = did_you_mean(key, table)
            draft.lost(node, f"not known, and not carried over{known}")


def same(_: Draft, __: Node) -> None:
    """Needs no setting: it is always so here, or makes no difference."""


def text(path: Path) -> Conversion:
    """A text that is taken over."""
    return lambda draft, node: draft.put(path, node.text, node) if node.text else None


def _read_by(ours: Callable[[Node], object], path: Path, what: str) -> Conversion:
    """A value that `ours` makes of the node, None for a wrong one; a variable is taken over as it is."""

    def convert(draft: Draft, node: Node) -> None:
        value = node.text if values.variables(node.text) else ours(node)
        if value is not None:
            draft.put(path, value, node)
        elif node.value is not None:
            draft.lost(node, f"expected {what}, got {shown(node.value)}")

    return convert


def number(path: Path) -> Conversion:
    """A number, or true or false."""
    return _read_by(lambda node: node.value if isinstance(node.value, int | float) else None, path, "a number")


def duration(path: Path) -> Conversion:
    """A duration in Go's notation."""
    read = _read_by(lambda node: values.duration(node.text), path, "a duration")
    bare = changed("Promtail reads a bare number as nanoseconds: left at the default here")
    return lambda draft, node: (bare if isinstance(node.value, int | float) else read)(draft, node)


def size(path: Path) -> Conversion:
    """A size in bytes; zero means no limit to Promtail, and the default here."""
    read = _read_by(lambda node: values.size(node.text), path, "a size")
    return lambda draft, node: None if values.size(node.text) == "0B" else read(draft, node)


def texts(path: Path) -> Conversion:
    """A mapping of names to texts."""

    def convert(draft: Draft, node: Node) -> None:
        for key, value in node.items():
            draft.put((*path, key), value.text, value)

    return convert


def section(table: Table) -> Conversion:
    """A mapping, each key of it with its own conversion."""
    return lambda draft, node: apply(table, draft, node)


def warned(why: str) -> Conversion:
    """A mistake, or other lines will be shipped than before, as `why` says."""
    return lambda draft, node: draft.warn(node, why)


def lost(why: str) -> Conversion:
    """It has no counterpart; `why` says what that means."""
    return lambda draft, node: draft.lost(node, why)


def changed(why: str) -> Conversion:
    """Something else takes its place, as `why` says."""
    return lambda draft, node: draft.changed(node, why)


def unless_off(conversion: Conversion) -> Conversion:
    """Applies the conversion unless the key is switched off or empty, which needs no note."""
    return lambda draft, node: None if _is_off(node) else conversion(draft, node)


def _is_off(node: Node) -> bool:
    enabled = node.at("enabled").text if isinstance(node.value, dict) else ""
    empty = node.value in ([], {}, None)
    return empty or enabled in _OFF[1:] or (not isinstance(node.value, dict | list) and node.text in _OFF)


def expected_list(draft: Draft, node: Node) -> list[Node]:
    """The items of a list; anything else is noted."""
    if node.value is not None and not isinstance(node.value, list):
        draft.warn(node, f"Promtail expects a list here, got {key_shown(shown(node.text or node.value))}")
    return node.each()
