"""YAML as `gcloud logging read` prints it where it is told no format: one document for each entry, a line `---` before.

Holds one document at a time. What is none after all is given back line by line.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import orjson
import yaml

SEPARATOR: Final = b"---"
_OPENING: Final = (SEPARATOR, b"insertId:")  # the first key of an entry, which alone may have been copied
_KEY: Final = re.compile(rb"[A-Za-z_][\w.-]*:(?:\s|$)")
_ALIAS: Final = re.compile(rb"^\s*(?:[\w.-]+:|-) +[*&]\w", re.MULTILINE)  # a few lines of these can be a huge value
_TAGS: Final = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # without libyaml: the slow one
    """Leaves times as they are written."""

    yaml_implicit_resolvers: Final = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag in _TAGS]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class NumberedLine(NamedTuple):
    """A line of a document."""

    number: int
    content: bytes


class Document:
    """One document, of which the line that opens it has come."""

    def __init__(self, number: int, line: bytes) -> None:
        self.lines = [NumberedLine(number, line)]
        self._size = len(line)

    def __len__(self) -> int:
        """The bytes that are held."""
        return self._size

    def takes(self, line: bytes) -> bool:
        """Whether the line may be one of this document: its first is a key."""
        return len(self.lines) > 1 or self.lines[0].content != SEPARATOR or not line or _KEY.match(line) is not None

    def add(self, number: int, line: bytes) -> None:
        """Another line."""
        self.lines.append(NumberedLine(number, line))
        self._size += len(line) + 1

    def close(self) -> Iterator[NumberedLine]:
        """The document as one line of JSON, with the number of its first; its lines, where it is none."""
        text = b"\n".join(line.content for line in self.lines)
        value = None if _ALIAS.search(text) else _loaded(text)
        if isinstance(value, dict):
            first = self.lines[len(self.lines) > 1 and self.lines[0].content == SEPARATOR]
            yield NumberedLine(first.number, orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))
        else:
            yield from self.lines


def opens_document(line: bytes) -> bool:
    """Whether a document may begin with this line."""
    return line == SEPARATOR or line.startswith(_OPENING[1:])


def _loaded(text: bytes) -> object:
    try:
        return yaml.load(text, Loader=_Loader)  # it makes plain values alone
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
