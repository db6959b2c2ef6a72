"""Notes for the operator about an import: one line each, with its place."""

from dataclasses import dataclass
from enum import IntEnum

from shipper.config.errors import key_shown
from shipper.promtail.node import Node


class Kind(IntEnum):
    """How much a note matters, the most first."""

    WARNING = 0  # a mistake in the file, or other lines will be shipped than before
    CHANGED = 1  # has a counterpart that is not quite the same
    LOST = 2  # has none


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know; `line` is that of Promtail's file."""

    kind: Kind
    line: int
    key: str
    text: str


TITLES = {
    Kind.WARNING: "Warnings: look at each before the switch-over",
    Kind.CHANGED: "Means something else here",
    Kind.LOST: "Has no counterpart here",
}


def note(kind: Kind, node: Node, text: str) -> Note:
    """A note at the place of a node."""
    return Note(kind, node.line, key_shown(node.key), text if text.isprintable() else ascii(text)[1:-1])


def report(notes: list[Note], name: str) -> str:
    """The whole report: a title and its lines for each kind, in the order of the file."""
    if not notes:
        return f"{key_shown(name)}: everything has a counterpart\n"
    lines: list[str] = []
    for kind, title in TITLES.items():
        of_kind = sorted({one: None for one in notes if one.kind is kind}, key=lambda one: one.line)
        if of_kind:
            lines += [*([""] if lines else []), f"{title}:"]
            lines += [f"  {key_shown(name)}:{one.line}: {one.key or 'the file'}: {one.text}" for one in of_kind]
    return "\n".join(lines) + "\n"
