"""Settings by their path to the text of a configuration file, with their reasons as comments.

Knows paths and YAML; nothing of Promtail, and not what a setting means.
"""

import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from shipper.config.document import Path, resolved
from shipper.config.types import is_text, type_at
from shipper.promtail.node import Node
from shipper.promtail.values import dollars, variables

_SECTIONS: Final = ("server", "positions", "clients", "scrape_configs", "limits_config")
_WIDTH: Final = 110
_SPECIAL = re.compile(r"[^ !#-\[\]-~]")  # all but printable ASCII, and what a text in quotes must escape


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of ours, the node it came from, and the reason where a choice was made."""

    value: object  # text, a number, true or false, or a list of text
    source: Node
    why: str


def lay_out(settings: Mapping[Path, Setting], asides: Mapping[Path, list[str]]) -> tuple[str, list[Path]]:
    """The text, ASCII, and the path that each of its lines is about; `asides` are comments at the end of a section."""
    order = [path for name in _SECTIONS for path in settings if path[0] == name]
    lines, paths, above = [], [], ()  # type: tuple[list[str], list[Path], Path]
    shown = list(dict.fromkeys(_siblings_together(order)))
    for at, path in enumerate(shown):
        for text, about in _lines(path, above, settings[path]):
            lines.append(text)
            paths.append(about)
        above = path
        following = shown[at + 1] if at + 1 < len(shown) else ()
        for heading, texts in asides.items():
            if path[: len(heading)] == heading != following[: len(heading)]:
                comments = [f"{_indent(len(heading))}# {text}" for text in texts]
                lines += comments
                paths += [heading] * len(comments)
    return "".join(f"{line}\n" for line in lines), paths


def _siblings_together(order: list[Path], depth: int = 1) -> Iterator[Path]:
    """The paths, with all below one heading together: a heading stands where it came first."""
    groups: dict[Path, list[Path]] = {}
    for path in order:
        groups.setdefault(path[:depth], []).append(path)
    for heading, group in groups.items():
        if group == [heading]:
            yield heading
        else:
            yield from _siblings_together([path for path in group if len(path) > depth], depth + 1)


def _lines(path: Path, above: Path, setting: Setting) -> Iterator[tuple[str, Path]]:
    """The headings that are new, the reason, and the value."""
    common = next((at for at, step in enumerate(path) if at >= len(above) or above[at] != step), len(path))
    if not common and above:
        yield "", path[:1]
    dash = False
    for depth in range(common, len(path) - 1):
        step = path[depth]
        if isinstance(step, int):
            dash = True
        else:
            yield f"{_indent(depth, dash=dash)}{scalar(step)}:", path[: depth + 1]
            dash = False
    width = _WIDTH - 2 * len(path)
    for line in textwrap.wrap(setting.why, width, break_long_words=False, break_on_hyphens=False):
        # of an item's first value it stands above the dash
        yield f"{_indent(len(path) - 1 - dash)}# {line}", path
    yield f"{_indent(len(path) - 1, dash=dash)}{scalar(str(path[-1]))}: {_value(setting.value, path)}", path


def _indent(depth: int, *, dash: bool = False) -> str:
    return "  " * (depth - 1) + "- " if dash else "  " * depth


def _value(value: object, path: Path) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(scalar(dollars(str(item))) for item in value)}]"
        case str() if variables(value) == [value] and not is_text(type_at(path)):
            return value  # what the variable leaves may be a number
        case str():
            return scalar(dollars(value))
        case _:
            return str(value)


def scalar(text: str) -> str:
    """A text: plain if YAML then reads it as that text, else in quotes."""
    letters = text.replace("://", "", 1).replace(":", "", 1) if text.startswith("http") else text
    plain = letters.isascii() and all(char.isalnum() or char in "._/-" for char in letters)
    if plain and text[:1] not in ("", "-") and not text.endswith(":") and resolved(text) == text:
        return text
    return f'"{_SPECIAL.sub(_escaped, text)}"'


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    if char in '"\\':
        return f"\\{char}"
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
