"""Rules by key: what is done with each key that Promtail knows, so that none is passed over in silence.

A rule is a callable that is given the draft and the node. Those that many sections need are made here.
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
    """Do with each key of a section as the table says; an unknown one is said."""
    if section.value is not None and not isinstance(section.value, dict):
        draft.warn(section, "Promtail expects a mapping here")
    for key, node in section.items():
        if rule := table.get(key):
            rule(draft, node)
        else:
            known = did_you_mean(key, table)
            draft.lost(node, f"not known, and not carried over{known}")


def same(_: Draft, __: Node) -> None:
    """Needs no setting: it is so here without one, or makes no difference."""


def text(path: Path) -> Conversion:
    """A text that is one of ours too."""
    return lambda draft, node: draft.put(path, node.text, node) if node.text else None


def number(path: Path) -> Conversion:
    """A number, or true or false."""

    def rule(draft: Draft, node: Node) -> None:
        if isinstance(node.value, int | float) or values.variables(node.text):
            draft.put(path, node.value, node)
        elif node.value is not None:
            draft.lost(node, f"expected a number, got {shown(node.value)}")

    return rule


def duration(path: Path) -> Conversion:
    """A duration, which Go writes otherwise."""

    def rule(draft: Draft, node: Node) -> None:
        if values.variables(node.text):
            draft.put(path, node.text, node)
        elif isinstance(node.value, str) and (ours := values.duration(node.value)):
            draft.put(path, ours, node)
        elif isinstance(node.value, int | float):
            draft.changed(node, "a bare number is nanoseconds to Promtail: left at the default here")
        elif node.value is not None:
            draft.lost(node, f"expected a duration, got {shown(node.value)}")

    return rule


def size(path: Path) -> Conversion:
    """A size in bytes; none is no limit to Promtail, and the default here."""

    def rule(draft: Draft, node: Node) -> None:
        if values.variables(node.text):
            draft.put(path, node.text, node)
        elif (ours := values.size(node.text)) and ours != "0B":
            draft.put(path, ours, node)
        elif ours is None and node.value is not None:
            draft.lost(node, f"expected a size, got {shown(node.value)}")

    return rule


def texts(path: Path) -> Conversion:
    """A mapping of names to texts."""

    def rule(draft: Draft, node: Node) -> None:
        for key, value in node.items():
            draft.put((*path, key), value.text, value)

    return rule


def lost(why: str) -> Conversion:
    """No counterpart, and what that comes to."""
    return lambda draft, node: draft.lost(node, why)


def changed(why: str) -> Conversion:
    """Something else takes its place."""
    return lambda draft, node: draft.changed(node, why)


def unless_off(rule: Conversion) -> Conversion:
    """Nothing to say of what is switched off, or holds nothing."""
    return lambda draft, node: None if _is_off(node) else rule(draft, node)


def _is_off(node: Node) -> bool:
    enabled = node.at("enabled").text if isinstance(node.value, dict) else ""
    empty = node.value in ([], {}, None)
    return empty or enabled in _OFF[1:] or (not isinstance(node.value, dict | list) and node.text in _OFF)


def expected_list(draft: Draft, node: Node) -> list[Node]:
    """The items of a list; anything else is said."""
    if node.value is not None and not isinstance(node.value, list):
        draft.warn(node, f"Promtail expects a list here, got {key_shown(shown(node.text or node.value))}")
    return node.each()
