"""PromQL and LogQL taken apart, as far as it needs to be to see which metrics and labels an expression names.

No parser: real ones are asked where they are at hand (promtool, a Loki). Knows nothing of what exists.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

TOKEN: Final = re.compile(
    r'(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)'
    r"|(?P<range>\[[^\[\]]*\])"
    r"|(?P<number>\d+(?:\.\d+)?[a-z]*)"
    r"|(?P<name>[A-Za-z_][\w:]*)"
    r"|(?P<sign>!=|=~|!~|\|=|\|~|>=|<=|==|[{}(),|=<>+*/-])"
    r"|(?P<blank>\s+)"
)
RANGE: Final = re.compile(r"\[(\d+[smhd]|\$__(range|interval|rate_interval))\]")
GROUPING: Final = {"by", "without", "on", "ignoring", "group_left", "group_right"}
MERGING: Final = {"sum", "count", "avg", "min", "max", "group", "stddev", "stdvar"}  # several series become one
OPERATORS: Final = {"and", "or", "unless", "offset", "bool"}
MATCH: Final = {"=", "!=", "=~", "!~"}
PAIRS: Final = {")": "(", "}": "{"}
# A field of a template: `.side` in `{{ if eq .side "upstream" }}`.
ACTION: Final = re.compile(r"\{\{(.*?)\}\}")
FIELD: Final = re.compile(r"(?<![\w.])\.([a-z_]+)")
QUOTED: Final = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Token:
    """One piece of an expression."""

    kind: str
    text: str

    @property
    def value(self) -> str:
        """Of a text: without its quotes."""
        return self.text[1:-1]


@dataclass
class Query:
    """What an expression names."""

    metrics: set[str] = field(default_factory=set)
    matched: dict[str, set[str]] = field(default_factory=dict)  # by metric, or by "" in LogQL
    grouped: set[str] = field(default_factory=set)  # in by (…) and on (…)
    made: set[str] = field(default_factory=set)  # labels that the expression makes itself
    used: set[str] = field(default_factory=set)  # labels of filters and templates
    keys: set[str] = field(default_factory=set)  # of the JSON line
    selectors: list[dict[str, tuple[str, str]]] = field(default_factory=list)  # label -> operator, value


def tokens(expression: str) -> list[Token]:
    """All but blanks. Raises ValueError where something is no token, or brackets do not close."""
    found, at, opened = [], 0, []
    while at < len(expression):
        match = TOKEN.match(expression, at)
        if not match or not match.lastgroup:
            raise ValueError(f"no token at {expression[at : at + 20]!r}")
        at = match.end()
        token = Token(match.lastgroup, match.group())
        if token.text in PAIRS.values():
            opened.append(token.text)
        elif token.text in PAIRS and (not opened or opened.pop() != PAIRS[token.text]):
            raise ValueError(f"unbalanced before {expression[at : at + 20]!r}")
        if token.kind == "range" and not RANGE.fullmatch(token.text):
            raise ValueError(f"no range: {token.text}")
        if token.kind != "blank":
            found.append(token)
    if opened:
        raise ValueError(f"not closed: {opened}")
    return found


def promql(expression: str) -> Query:
    """The metrics, the labels matched of each, and the labels that are grouped by or made."""
    query, stream = Query(), tokens(expression)
    stream.append(Token("end", ""))
    skip = -1
    for at, token in enumerate(stream[:-1]):
        after = stream[at + 1].text
        if token.text == "label_replace":
            query.made |= _replaced(stream, at)
        if at <= skip or token.kind != "name" or token.text in OPERATORS:
            continue
        if token.text in GROUPING and after == "(":
            names, skip = _names(stream, at + 1)
            query.grouped |= names
        elif after != "(" and after not in GROUPING:
            query.metrics.add(token.text)
            matchers: dict[str, tuple[str, str]] = {}
            if after == "{":
                matchers, skip = _matchers(stream, at + 1)
            query.matched.setdefault(token.text, set()).update(matchers)
            query.selectors.append(matchers)
    return query


def logql(expression: str) -> Query:
    """The stream selectors, and the labels and keys of the pipeline. Raises ValueError for a stage it does not know."""
    query, stream = Query(), tokens(expression)
    stream.append(Token("end", ""))
    skip = -1
    for at, token in enumerate(stream[:-1]):
        if at <= skip:
            continue
        if token.text == "{":
            matchers, skip = _matchers(stream, at)
            query.selectors.append(matchers)
            query.matched.setdefault("", set()).update(matchers)
        elif token.text in GROUPING:
            names, skip = _names(stream, at + 1)
            query.grouped |= names
        elif token.text == "|":
            skip = _stage(stream, at + 1, query)
    return query


def _stage(stream: list[Token], at: int, query: Query) -> int:
    """One stage of a LogQL pipeline, from the word behind `|`; where it ends."""
    word, after = stream[at].text, stream[at + 1].text
    if word in ("json", "label_format"):
        for name, _, value in _assignments(stream, at + 1):
            query.made.add(name)
            if word == "json":
                query.keys.add(_key(value.value))
            else:
                query.used |= template_fields(value.value)
            at += 4
        return at - 1
    if word == "drop":
        while stream[at + 2].text == ",":
            at += 2
        return at + 1
    if word == "regexp":
        query.made |= set(re.compile(stream[at + 1].value).groupindex)
        return at + 1
    if word == "unwrap":
        query.used.add(after)
        return at + 1
    if after in MATCH and stream[at + 2].kind == "text":  # a label filter
        query.used.add(word)
        return at + 2
    raise ValueError(f"no stage: {word} {after}")


def _key(path: str) -> str:
    """`a.b` of `["a.b"]`, a path of one key that has a dot in it."""
    return path.removeprefix('["').removesuffix('"]')


def _assignments(stream: list[Token], at: int) -> Iterator[tuple[str, Token, Token]]:
    """`a="x", b="y"`: name, sign, value."""
    while True:
        name, sign, value = stream[at : at + 3]
        if (name.kind, sign.text, value.kind) != ("name", "=", "text"):
            raise ValueError(f"no assignment: {name.text} {sign.text} {value.text}")
        yield name.text, sign, value
        if stream[at + 3].text != ",":
            return
        at += 4


def _matchers(stream: list[Token], at: int) -> tuple[dict[str, tuple[str, str]], int]:
    """`{a="x", b!="y"}` from its brace: label -> operator and value; where it ends. A label's first matcher counts."""
    found: dict[str, tuple[str, str]] = {}
    while stream[at].text != "}":
        name, sign, value = stream[at + 1 : at + 4]
        if (name.kind, value.kind) != ("name", "text") or sign.text not in MATCH:
            raise ValueError(f"no matcher: {name.text} {sign.text} {value.text}")
        found.setdefault(name.text, (sign.text, value.value))
        at += 4
    return found, at


def _names(stream: list[Token], at: int) -> tuple[set[str], int]:
    """`(a, b)` from its bracket: the names; where it ends."""
    found = set()
    while stream[at].text != ")":
        if stream[at].kind == "name":
            found.add(stream[at].text)
        at += 1
    return found, at


def _replaced(stream: list[Token], at: int) -> set[str]:
    """The labels that a label_replace writes; inner ones stand before its own texts."""
    texts = [token.value for token in stream[at:] if token.kind == "text"]
    return {texts[place - 1] for place, text in enumerate(texts) if text == "$1" and place}


def merged(expression: str) -> list[set[str]]:
    """What each aggregation that makes one series of several keeps apart: the labels of its `by`, before or behind."""
    stream = [*tokens(expression), Token("end", ""), Token("end", "")]
    found = []
    for at, token in enumerate(stream):
        if token.text not in MERGING or stream[at + 1].text not in ("(", "by", "without"):
            continue
        at += 1
        if stream[at].text == "(":
            at = _closing(stream, at) + 1
        found.append(_names(stream, at + 1)[0] if stream[at].text == "by" else set())
    return found


def _closing(stream: list[Token], at: int) -> int:
    """Where the bracket at `at` closes."""
    depth = 0
    while True:
        depth += {"(": 1, ")": -1}.get(stream[at].text, 0)
        if not depth:
            return at
        at += 1


def template_fields(template: str) -> set[str]:
    """`a` and `b` in `{{ if .a }}{{ .b }}{{ end }}`; of `$labels.a`, nothing."""
    actions = " ".join(ACTION.findall(template))
    return set(FIELD.findall(QUOTED.sub("", actions)))
