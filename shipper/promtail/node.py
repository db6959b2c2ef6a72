"""A Promtail file as nodes, each with its place; also out of the ConfigMap that held it.

Knows YAML and places; nothing of what Promtail's keys mean.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from shipper.config import ConfigError
from shipper.config.document import Document, Path, joined, read
from shipper.config.errors import key_shown

_MERGE: Final = "<<"  # YAML's merge key, which Promtail's reader knows


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file: a scalar, a list of nodes, or nodes by key."""

    key: str  # as messages show it: `clients[0].url`
    line: int
    value: object

    def items(self) -> Iterator[tuple[str, "Node"]]:
        """The keys of a mapping with their nodes; none for anything else."""
        if isinstance(self.value, dict):
            yield from self.value.items()

    def each(self) -> list["Node"]:
        """The items of a list; none for anything else."""
        return self.value if isinstance(self.value, list) else []

    def at(self, key: str) -> "Node":
        """The node of a key; an empty node if there is no such key."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return found if isinstance(found, Node) else Node(f"{self.key}.{key}".removeprefix("."), self.line, None)

    @property
    def text(self) -> str:
        """A scalar as text; empty for nothing, lists and mappings."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return str(self.value) if isinstance(self.value, str | int | float) else ""


def parse(text: bytes, name: str) -> Node:
    """The file's top. Raises ConfigError, whose text is one line, for a text that is no YAML or no mapping.

    `${VAR}` stays as it stands: whether it is a variable, only Promtail's command line tells.
    """
    document = _read(text, name)
    top = _node(document.values, (), document, lambda line: line)
    if held := _held(top, name):
        document = _read(held.text.encode(), f"{name}, {held.key}")
        top = _node(document.values, (), document, _lines_of(held, text))
    if not isinstance(top.value, dict):
        raise ConfigError(f"{key_shown(name)}: expected Promtail's configuration, which is a mapping")
    return top


def _read(text: bytes, name: str) -> Document:
    # Each dollar is doubled, which the reader takes for one that stands for itself.
    return read(text.replace(b"$", b"$$"), name, {})


def _held(top: Node, name: str) -> Node | None:
    """The text in a ConfigMap or Secret; None where the file is neither."""
    kind = top.at("kind").text
    if kind not in ("ConfigMap", "Secret"):
        return None
    texts = [node for section in ("data", "stringData") for _, node in top.at(section).items()]
    found = next((node for node in texts if "scrape_configs" in node.text), None)
    if found is None:
        hint = "; decode the Secret's value first, with base64 -d" if kind == "Secret" else ""
        raise ConfigError(f"{key_shown(name)}: no Promtail configuration in this {kind}{hint}")
    return found


def _lines_of(held: Node, text: bytes) -> Callable[[int], int]:
    """Lines of the inner text to lines of the file; all to its key's line, if the file does not hold it literally."""
    first = held.text.partition("\n")[0].strip()
    lines = text.decode().split("\n")
    if first and held.line < len(lines) and lines[held.line].strip() == first:
        return lambda line: held.line + line
    return lambda _: held.line


def _node(value: object, path: Path, document: Document, line_of: Callable[[int], int]) -> Node:
    number = document.places[path].rpartition(":")[2]
    line = line_of(int(number) if number.isdecimal() else 1)
    if isinstance(value, list):
        value = [_node(item, (*path, index), document, line_of) for index, item in enumerate(value)]
    elif isinstance(value, dict):
        value = _merged({key: _node(item, (*path, key), document, line_of) for key, item in value.items()})
    return Node(joined(path), line, value)


def _merged(mapping: dict[str, Node]) -> dict[str, Node]:
    """The mapping, completed with the values of its merge key."""
    if _MERGE not in mapping:
        return mapping
    merge = mapping[_MERGE]
    merged: dict[str, Node] = {}
    for source in reversed(merge.each() or [merge]):
        merged |= dict(source.items())
    return merged | {key: node for key, node in mapping.items() if key != _MERGE}
