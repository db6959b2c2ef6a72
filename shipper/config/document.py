"""YAML text to plain values, with the line of each; `${VAR}` is replaced.

Stricter than YAML: keys are text and unique, tags are not allowed, size and nesting are bounded, so that no file takes
long to read. Does not know what the values mean.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import yaml

from shipper.config.errors import ConfigError, key_shown
from shipper.config.units import MIB, number

MAX_BYTES: Final = 1 * MIB
MAX_NODES: Final = 10_000  # an alias counts as often as it is used
MAX_DEPTH: Final = 32

Path = tuple[str | int, ...]  # keys and indexes from the top, as in `clients[0].url`

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_VARIABLE = re.compile(r"\$(?:(\$)|\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?)")
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = {
    **{spelling: True for word in ("true", "yes", "on") for spelling in (word, word.title(), word.upper())},
    **{spelling: False for word in ("false", "no", "off") for spelling in (word, word.title(), word.upper())},
}


class Document(NamedTuple):
    """The values of a file, and the place of each (`agent.yaml:7`); `places` has every path, also that of the top."""

    values: object
    places: dict[Path, str]


def joined(path: Path, key: str = "") -> str:
    """`clients[0].url`, and a further key when there is one."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return (f"{text}.{key}" if key else text).removeprefix(".")


def read(text: bytes, name: str, environ: Mapping[str, str]) -> Document:
    """The file's values; an empty file is an empty mapping. Raises ConfigError."""
    name = key_shown(name)
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{name}: larger than {MAX_BYTES} bytes, this is no configuration file")
    node = _composed(_decoded(text, name), name)
    if node is None:
        return Document({}, {(): name})
    construction = _Construction(name, environ)
    values = construction.value(node, (), node.start_mark.line + 1)
    return Document({} if values is None else values, construction.places)


def _decoded(text: bytes, name: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{line}: not UTF-8 text") from error


def _composed(text: str, name: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = "" if isinstance(error, _RefusedError) else "not YAML: "
        raise ConfigError(f"{name}:{line}: {what}{key_shown(error.problem or 'broken')}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{name}:{line}: not YAML: a control character") from error
    except (ValueError, OverflowError) as error:  # a code point or version number out of range
        line = min(loader.line, text.count("\n")) + 1
        raise ConfigError(f"{name}:{line}: not YAML: a number out of range") from error


class _RefusedError(yaml.MarkedYAMLError):
    """Valid YAML that is not allowed here."""


class _Loader(yaml.BaseLoader):
    """Composes nodes, and resolves no scalar: `${VAR}` comes first. Refuses tags, and documents that are too large."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "tag", None):
            raise _RefusedError(None, None, "tags are not used here", event.start_mark)
        self._nodes += 1
        if self._nodes > MAX_NODES or self._depth >= MAX_DEPTH:
            raise _RefusedError(None, None, "too many values, or nested too deeply", event.start_mark)
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Construction:
    """Makes the values of one document from its nodes."""

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        self.places: dict[Path, str] = {}
        self._name, self._environ = name, environ
        self._nodes = 0

    def value(self, node: yaml.Node, path: Path, line: int) -> object:
        """The node's value. `line` is the line of its key, or of the item itself: where an operator looks for it."""
        self._nodes += 1
        # An alias may stand inside the node that it names: the limit of the depth ends that too.
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise self._error("too many values, or nested too deeply", path[:4], line)
        self.places[path] = f"{self._name}:{line}"
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path, line)
        items = enumerate(node.value)
        return [self.value(item, (*path, index), item.start_mark.line + 1) for index, item in items]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value
            if not isinstance(key, str) or _NOT_TEXT.search(key):
                raise self._error("a key must be text", path, line)
            if key in values:
                first = self.places[(*path, key)].rpartition(":")[2]
                raise self._error(f"given twice, first on line {first}", (*path, key), line)
            values[key] = self.value(value_node, (*path, key), line)
        return values

    def _scalar(self, node: yaml.ScalarNode, path: Path, line: int) -> object:
        try:
            text = expand(node.value, self._environ)
        except ValueError as error:
            raise self._error(str(error), path, line) from None
        if _NOT_TEXT.search(text):
            raise self._error("holds a character that is not text", path, line)
        # A variable that is empty makes an empty text; only a place that is empty in the file means null.
        if node.style is not None or (not text and node.value):
            return text
        return resolved(text)

    def _error(self, problem: str, path: Path, line: int) -> ConfigError:
        where = f"{self._name}:{line}: {key_shown(joined(path))}" if path else f"{self._name}:{line}"
        return ConfigError(f"{where}: {problem}")


def expand(text: str, environ: Mapping[str, str]) -> str:
    """`${VAR}` and `${VAR:-default}` replaced, `$$` made `$`; the default also stands for an empty VAR.

    A `$` before anything else is itself. Raises ValueError for a variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        dollar, name, default = match.groups()
        if dollar or match[0] == "$":
            return "$"
        if name is None:
            raise ValueError("expected ${NAME} or ${NAME:-default}; a literal $ is written $$")
        if default is not None:
            return environ.get(name) or default
        if name not in environ:
            raise ValueError(f"the environment variable {name} is not set")
        return environ[name]

    return _VARIABLE.sub(value, text)


def resolved(text: str) -> object:
    """What a plain scalar means: null, bool, int or float, else text.

    Decimal numbers only: `010`, `12:30` and `2026-01-01` stay text, where YAML 1.1 sees 8, 750 and a date.
    """
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    value = number(text)
    return text if value is None else value
