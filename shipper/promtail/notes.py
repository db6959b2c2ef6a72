"""Notes for the operator about an import: one line each, with its place."""

from dataclasses import dataclass
from enum import Enum

from shipper.config.errors import key_shown
from shipper.promtail.node import Node


class Kind(Enum):
    """How much a note matters, the most first, and the title above such notes."""

    WARNING = "Warnings: look at each before the switch-over"
    CHANGED = "Means something else here"
    LOST = "Has no counterpart here"


@dataclass(frozen=True, slots=True)
class Note:
    """One thing to know; `line` is that of Promtail's file."""

    kind: Kind
    line: int
    key: str
    text: str


def note(kind: Kind, node: Node, text: str) -> Note:
    """A note at the place of a node."""
    return Note(kind, node.line, key_shown(node.key), text if text.isprintable() else ascii(text)[1:-1])


def report(notes: list[Note], name: str) -> str:
    """The whole report: a title and its lines for each kind, in the order of the file."""
    if not notes:
        return f"{key_shown(name)}: everything has a counterpart\n"
    lines: list[str] = []
    for kind in Kind:
        of_kind = sorted({one: None for one in notes if one.kind is kind}, key=lambda one: one.line)
        if of_kind:
            lines += [*([""] if lines else []), f"{kind.value}:"]
            lines += [f"  {key_shown(name)}:{one.line}: {one.key or 'the file'}: {one.text}" for one in of_kind]
    return "\n".join(lines) + "\n"
