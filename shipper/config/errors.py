"""The error of a configuration that cannot be used, and how a message shows values and keys: in one line."""

from collections.abc import Iterable, Mapping
from typing import Final

_SHOWN: Final = 60  # characters of a wrong value; more hides the message


class ConfigError(ValueError):
    """A configuration that cannot be used: one line that says where and what.

    `key` is the path from the section that noticed, such as `headers.X-Trace`; empty for the section itself.
    """

    def __init__(self, problem: str, key: str = "") -> None:
        super().__init__(f"{key_shown(key)}: {problem}" if key else problem)
        self.problem = problem
        self.key = key


def shown(value: object) -> str:
    """A value as a message shows it: one line, bounded, in the words of YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _shortened(f"{value:.6g}" if abs(value) >= 1e15 else str(value))
        case str():
            return ascii(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            return _shortened(ascii(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def key_shown(key: str) -> str:
    """A path of keys; quoted where it has unusual characters, so that the message stays one line."""
    return key if key.isascii() and key.isprintable() and len(key) <= 2 * _SHOWN else ascii(key[: 2 * _SHOWN])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`, did you mean batchwait?`, or nothing when no known word is near."""
    from difflib import get_close_matches  # only a wrong configuration needs it

    near = get_close_matches(word[:_SHOWN].lower(), list(known), n=1)
    return f", did you mean {near[0]}?" if near else ""
