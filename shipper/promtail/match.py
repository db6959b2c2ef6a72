"""Stream selectors of Promtail's match stage, `{app="web", flags=~"U.*"} |= "text"`, and what they match.

Pure; knows which labels a line has, not what they hold.
"""

import re
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

_MATCHER = re.compile(
    r"""\s* ([a-zA-Z_][a-zA-Z0-9_]*) \s* (=~|!~|!=|=) \s* ("(?:[^"\\]|\\.)*"|`[^`]*`) \s* (,|\})""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_FLAGS: Final = "response_flags"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    operator: str
    value: str

    @property
    def takes_absent(self) -> bool:
        """Whether a line without the label matches: a missing label counts as empty."""
        takes_empty = _takes_empty(self.value) if "~" in self.operator else not self.value
        return takes_empty is not self.operator.startswith("!")


@dataclass(frozen=True, slots=True)
class Selector:
    """All conditions; `rest` is the text behind them: filters on the line."""

    matchers: tuple[Matcher, ...]
    rest: str

    def absent(self, labels: Collection[str]) -> list[Matcher]:
        """The conditions on labels that no line has."""
        return [matcher for matcher in self.matchers if matcher.label not in labels]

    def means_timeouts(self, *, drops: bool) -> bool:
        """Whether the author wanted to keep lines with the flag UT, or to drop all others."""
        wanted = ("!=", "!~") if drops else ("=", "=~")
        return any(one.label == _FLAGS and one.operator in wanted and "UT" in one.value for one in self.matchers)


def parse_selector(text: str) -> Selector | None:
    """The selector; None for any other text."""
    opened, at = text.lstrip(), 1
    if not opened.startswith("{"):
        return None
    found: list[Matcher] = []
    while match := _MATCHER.match(opened, at):
        label, operator, quoted, end = match.groups()
        value = quoted[1:-1] if quoted[0] == "`" else _ESCAPE.sub(r"\1", quoted[1:-1])
        found.append(Matcher(label, operator, value))
        at = match.end()
        if end == "}":
            return Selector(tuple(found), opened[at:].strip())
    return None


def _takes_empty(pattern: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Go's patterns may say, and ours should not
            return re.fullmatch(pattern, "") is not None
    except (re.error, OverflowError, RecursionError):
        return False
