"""The configuration in the making: settings with their reasons, and notes on what did not become one.

What comes out is always a configuration that `shipper check` takes, and pure ASCII: a setting that ours refuses is
taken out again, and said.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import yaml

from shipper.config import ConfigError
from shipper.config.document import Path, joined
from shipper.config.file import parse
from shipper.config.rules import key_shown
from shipper.config.scalars import resolved
from shipper.config.words import is_text, type_at
from shipper.promtail.node import Node
from shipper.promtail.notes import Kind, Note, note
from shipper.promtail.values import dollars, variables

CLIENT: Final[Path] = ("clients", 0)
JOB: Final[Path] = ("scrape_configs", 0)
_SECTIONS: Final = ("server", "positions", "clients", "scrape_configs", "limits_config")
_NAME: Final = "import"
_SOME_URL: Final = "http://loki.example/"  # stands for one that only a variable tells
_WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class Setting:
    """A value of ours, where it came from, and why it is as it is where a choice was made."""

    value: object  # text, a number, true or false, or a list of text
    source: Node
    why: str


class Draft:
    """Settings by their path in our file, and notes."""

    def __init__(self) -> None:
        self.settings: dict[Path, Setting] = {}
        self.notes: list[Note] = []
        self.asides: dict[Path, list[str]] = {}  # comments at the end of a section, by its path

    def put(self, path: Path, value: object, source: Node, why: str = "") -> None:
        """Set a value; one that is there already is replaced."""
        self.settings[path] = Setting(value, source, why)

    def value(self, path: Path) -> object:
        """What is set there; None where nothing is."""
        setting = self.settings.get(path)
        return None if setting is None else setting.value

    def warn(self, node: Node, text: str) -> None:
        """A mistake in the file, or other lines will be shipped than before."""
        self.notes.append(note(Kind.WARNING, node, text))

    def changed(self, node: Node, text: str) -> None:
        """It has a counterpart that is not quite the same."""
        self.notes.append(note(Kind.CHANGED, node, text))

    def lost(self, node: Node, text: str) -> None:
        """It has no counterpart."""
        self.notes.append(note(Kind.LOST, node, text))

    def text(self) -> str:
        """The configuration, YAML, without those settings that ours refuses."""
        while refused := self._refused():
            paths, problem = refused
            for path in paths:
                setting = self.settings.pop(path)
                self.lost(setting.source, f"left out, for {joined(path)} would be wrong here: {problem}")
        return _yaml(self.settings, self.asides)[0]

    def _refused(self) -> tuple[list[Path], str] | None:
        """The settings that are wrong, and why; those that a variable tells are left to `shipper check`."""
        known = {path: setting for path, setting in self.settings.items() if not _has_variable(setting.value)}
        if (*CLIENT, "url") in self.settings.keys() - known.keys():
            known[(*CLIENT, "url")] = Setting(_SOME_URL, self.settings[(*CLIENT, "url")].source, "")
        text, lines = _yaml(known, {})
        try:
            parse(text.encode(), _NAME, {})
        except ConfigError as error:
            _, line, problem = str(error).split(":", 2)
            at = lines[int(line) - 1]
            paths = [path for path in known if path[: len(at)] == at]
            return paths, problem.strip().removeprefix(f"{key_shown(joined(at))}: ")
        return None


def _has_variable(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and variables(text) for text in texts)


def _yaml(settings: dict[Path, Setting], asides: dict[Path, list[str]]) -> tuple[str, list[Path]]:
    """The text, and the path that each of its lines speaks of."""
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
    """The paths, those below one heading side by side: values first come where their heading first came."""
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
            yield f"{_indent(depth, dash=dash)}{_key(step)}:", path[: depth + 1]
            dash = False
    for line in _wrapped(setting.why, len(path)):  # of an item's first value it stands above the dash
        yield f"{_indent(len(path) - 1 - dash)}# {line}", path
    yield f"{_indent(len(path) - 1, dash=dash)}{_key(str(path[-1]))}: {_value(setting.value, path)}", path


def _wrapped(text: str, depth: int) -> list[str]:
    return textwrap.wrap(text, _WIDTH - 2 * depth, break_long_words=False, break_on_hyphens=False)


def _indent(depth: int, *, dash: bool = False) -> str:
    return "  " * (depth - 1) + "- " if dash else "  " * depth


def _value(value: object, path: Path) -> str:
    match value:
        case bool():
            return str(value).lower()
        case list():
            return f"[{', '.join(_scalar(str(item)) for item in value)}]"
        case str() if variables(value) == [value] and not is_text(type_at(path)):
            return value  # what the variable leaves may be a number
        case str():
            return _scalar(dollars(value))
        case _:
            return str(value)


def _key(key: str) -> str:
    return _scalar(key)


def _scalar(text: str) -> str:
    """Plain where it stays text, else in quotes."""
    letters = text.replace("://", "", 1).replace(":", "", 1) if text.startswith("http") else text
    plain = letters.isascii() and all(char.isalnum() or char in "._/-" for char in letters)
    if plain and text[:1] not in ("", "-") and not text.endswith(":") and resolved(text) == text:
        return text
    return yaml.dump(text, default_style='"', width=float("inf")).rstrip("\n")
