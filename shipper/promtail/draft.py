"""The new configuration while it is made: settings with their reasons, and notes on what did not become one.

The result always passes `shipper check`: a setting that the check refuses is removed again and noted.
"""

import re
from typing import Final

from msgspec import inspect

from shipper.config import ConfigError
from shipper.config.document import Path, joined
from shipper.config.errors import key_shown
from shipper.config.file import parse
from shipper.config.types import type_at
from shipper.promtail.layout import Setting, lay_out, scalar
from shipper.promtail.node import Node
from shipper.promtail.notes import Kind, Note, note
from shipper.promtail.values import variables

CLIENT: Final[Path] = ("clients", 0)
JOB: Final[Path] = ("scrape_configs", 0)
_URL: Final[Path] = (*CLIENT, "url")
_NAME: Final = "import"
_SOME_URL: Final = "http://loki.example/"  # stands for one that only a variable tells
_LONGEST_KEY: Final = 1000  # what YAML takes for a key; no label and no header has such a name


class Draft:
    """Settings by their path in our file, and notes."""

    def __init__(self) -> None:
        self.settings: dict[Path, Setting] = {}
        self.notes: list[Note] = []
        self.asides: dict[Path, list[str]] = {}  # comments at the end of a section, by its path

    def put(self, path: Path, value: object, source: Node, why: str = "") -> None:
        """Set a value; one that is there already is replaced."""
        if any(len(scalar(str(step))) > _LONGEST_KEY for step in path):
            self.lost(source, "left out: the name is too long")
        else:
            self.settings[path] = Setting(value, source, why)

    def value(self, path: Path) -> object:
        """The value that is set there; None if there is none."""
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
        """The configuration, YAML, without the settings that the check refuses."""
        while refused := self._refused():
            paths, problem = refused
            for path in paths:
                source, key = self.settings.pop(path).source, key_shown(joined(path))
                self.lost(source, f"left out, because {key} would be refused here: {problem}")
        return lay_out(self.settings, self.asides)[0]

    def _refused(self) -> tuple[list[Path], str] | None:
        """The settings that are refused, and why; values with a variable are left to `shipper check`."""
        known = {path: setting for path, setting in self.settings.items() if _can_be_checked(path, setting.value)}
        if _URL in self.settings and variables(str(self.value(_URL))):
            known[_URL] = Setting(_SOME_URL, self.settings[_URL].source, "")
        text, lines = lay_out(known, {})
        try:
            parse(text.encode(), _NAME, dict.fromkeys(re.findall(r"\$\{(\w+)", text), "x"))
        except ConfigError as error:
            return _blamed(str(error), known, lines)
        return None


def _blamed(error: str, known: dict[Path, Setting], lines: list[Path]) -> tuple[list[Path], str]:
    """The settings on the line that an error names; if it names none, the file is too large: the largest setting."""
    named = re.fullmatch(rf"{_NAME}:(\d+): (.*)", error)
    if named is None:
        return [max(known, key=lambda path: len(str(known[path].value)))], error
    at = lines[min(int(named[1]), len(lines)) - 1]
    return [path for path in known if path[: len(at)] == at], named[2].removeprefix(f"{key_shown(joined(at))}: ")


def _can_be_checked(path: Path, value: object) -> bool:
    """Whether the value can be checked here: it has no variable, or may be any text."""
    texts = value if isinstance(value, list) else [value]
    return not any(variables(str(text)) for text in texts) or isinstance(type_at(path), inspect.StrType)
