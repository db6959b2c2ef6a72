"""The logs that are followed, as a table: which lag, how far, and what came of their lines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from shipper.pages.facts import Facts
from shipper.pages.frame import Column, page, section, table
from shipper.pages.html import Html, element, joined
from shipper.pages.words import number, size, span

MOST_ROWS: Final = 200  # a page of thousands would keep the agent from its work
STATES: Final = ("all", "behind", "paused")

Told = Mapping[str, Any]  # one of `targets`, as /targets has it

_BY: Final[Mapping[str, Callable[[Told], Any]]] = {
    "log": lambda told: told["target"],
    "lag": lambda told: (-told["lag_bytes"], -told["lag_seconds"], told["target"]),
    "read": lambda told: -told["ledger"]["read"],
    "filtered": lambda told: -sum(told["ledger"]["filtered"].values()),
    "sent": lambda told: -told["ledger"]["sent"],
    "dropped": lambda told: -sum(told["ledger"]["dropped"].values()),
    "pending": lambda told: -told["ledger"]["pending"],
}
_HEADS: Final = {name: name.capitalize() for name in _BY}


def chosen(targets: Sequence[Told], query: Mapping[str, str]) -> list[Told]:
    """Those that the query asks for: `q` is in the name or a label, `state` is one of STATES."""
    words, state = query.get("q", "").lower().split(), query.get("state", "")
    return [
        told
        for told in targets
        if all(word in _text(told) for word in words)
        and (state != "paused" or told["paused"])
        and (state != "behind" or told["lag_bytes"] > 0)
    ]


def logs_page(facts: Facts, targets: Sequence[Told], query: Mapping[str, str]) -> Html:
    """`/targets` for a browser."""
    found = chosen(targets, query)
    order = query.get("sort", "") if query.get("sort") in _BY else "lag"
    rows = sorted(found, key=_BY[order])
    shown = f"{number(len(rows))} of {number(len(targets))} logs" if len(found) < len(targets) else _count(targets)
    if len(rows) > MOST_ROWS:
        shown += f"; the first {MOST_ROWS} are shown, search for the others"
    note = element("p", shown, class_="note")
    content = logs_table(rows[:MOST_ROWS], query, order) if rows else None
    return page(facts, "/targets", "Logs", section("Logs", _form(query, order), note, content))


def most_behind(targets: Sequence[Told], most: int) -> Html:
    """Those that lag most, without a way to sort."""
    return logs_table(sorted(targets, key=_BY["lag"])[:most], None, "lag")


def logs_table(rows: Sequence[Told], query: Mapping[str, str] | None, order: str) -> Html:
    """The table; with a query its heads are links that sort."""
    columns = [
        Column(_sorter(name, query, order) if query is not None else _HEADS[name], _HEADS[name], name != "log")
        for name in _BY
    ]
    return table(columns, map(_row, rows))


def _row(told: Told) -> list[Html | str]:
    ledger = told["ledger"]
    return [
        _name(told),
        _lag(told),
        number(ledger["read"]),
        _sum(ledger["filtered"]),
        number(ledger["sent"]),
        _sum(ledger["dropped"]),
        number(ledger["pending"]),
    ]


def _name(told: Told) -> Html:
    """The log's name in its parts, and its files."""
    labels = told["labels"]
    where = "/".join(filter(None, (labels.get("namespace"), labels.get("pod") or labels.get("app"))))
    files = told["files"]
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    lines = [element("li", element("span", one["name"], class_="file"), _progress(one)) for one in files]
    return joined(
        element("span", where or told["target"], class_="log", title=told["target"]),
        element("span", "paused", class_="tag warn") if told["paused"] else None,
        element("details", element("summary", count), element("code", told["target"]), element("ul", *lines)),
    )


def _progress(file: Told) -> str:
    deleted = ", deleted" if file["deleted"] else ""
    return f" {size(file['committed'])} shipped of {size(file['size'])}{deleted}"


def _lag(told: Told) -> Html:
    if not told["lag_bytes"]:
        return element("span", "0", class_="fine")
    return joined(size(told["lag_bytes"]), element("span", span(told["lag_seconds"]), class_="beside"))


def _sum(counts: Mapping[str, int]) -> Html:
    """Their sum, the reasons as its title."""
    reasons = ", ".join(f"{reason} {number(count)}" for reason, count in counts.items())
    return element("span", number(sum(counts.values())), title=reasons or None)


def _sorter(name: str, query: Mapping[str, str], order: str) -> Html:
    kept = {key: query[key] for key in ("q", "state") if query.get(key)}
    href = "/targets?" + urlencode({**kept, "sort": name}, errors="replace")
    return element("a", _HEADS[name], href=href, aria_current="true" if name == order else None)


def _form(query: Mapping[str, str], order: str) -> Html:
    state = query.get("state") if query.get("state") in STATES else STATES[0]
    words = element("input", type="search", name="q", value=query.get("q", ""), placeholder="namespace, pod, app",
                    aria_label="Words in the log's name")  # fmt: skip
    states = [element("option", one, value=one, selected=one == state) for one in STATES]
    return element(
        "form",
        words,
        element("select", *states, name="state", aria_label="State"),
        element("input", type="hidden", name="sort", value=order),
        element("button", "Filter", type="submit"),
        method="get",
        action="/targets",
    )


def _text(told: Told) -> str:
    return " ".join((told["target"], *map(str, told["labels"].values()))).lower()


def _count(targets: Sequence[Told]) -> str:
    return "1 log" if len(targets) == 1 else f"{number(len(targets))} logs"
