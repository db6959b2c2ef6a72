"""A fold as text: one block for each combination, what they have in common once, and a count of all."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from shipper.explain.fold import NO_ACCESS_LOG, UNREADABLE, Fold, Group
from shipper.explain.render import PROSE, Style, rows, safe, tone
from shipper.explain.verdict import CANNOT_TELL, NO_FAILURE, OTHER_FAILURE

SHOWN: Final = 30  # combinations

_REST: Final = {
    OTHER_FAILURE: "failed otherwise",
    NO_FAILURE: "did not fail",
    CANNOT_TELL: "cannot be told",
    UNREADABLE: "could not be read",
    NO_ACCESS_LOG: "of no access log",
}
_HINT: Final = (
    "Whether a handshake failed, these lines cannot tell: their log format lacks the fields for it, or they are not of "
    "the listener that refused the client (deploy/mesh)."
)
_NONE: Final = "None of it is an access log of Envoy or ztunnel. Is it the log of the container istio-proxy?"


def overview(fold: Fold, style: Style) -> Iterator[str]:
    """Blocks of text, the last one the count; none ends with a newline."""
    explained: dict[tuple[str | None, str | None], set[str]] = {}  # commands that have been shown, by reason and side
    for number, group in enumerate(fold):
        if number == SHOWN:
            break
        yield _block(group, style, explained)
    yield "\n".join(_count(fold, style))


def _block(group: Group, style: Style, explained: dict[tuple[str | None, str | None], set[str]]) -> str:
    report = group.report
    kind = report.failure_reason, report.side
    shown = explained.get(kind)
    name = style.paint(report.failure_reason or "", tone(report))
    head = f"{name}: {', '.join((*_when(group), _where(group, style)))}"
    if (addresses := len(group.addresses)) > 1:
        who = replace(report.who, address=f"{report.who.address}, the first of {addresses} addresses")
        report = replace(report, who=who)
    if shown is not None:
        report = replace(report, next=tuple(one for one in report.next if one not in shown))
    explained.setdefault(kind, set()).update(report.next)
    without = ("time",) if shown is None else ("time", *PROSE)
    lines = [head, *style.block(rows(report, style, without=without))]
    if shown is not None:
        lines += style.block([("means", "as above")])
    return "\n".join(lines)


def _when(group: Group) -> Iterator[str]:
    yield f"{group.count} times" if group.count > 1 else "once"
    if group.first and group.last:
        yield safe(group.first if group.first == group.last else f"{group.first} to {group.last}")


def _where(group: Group, style: Style) -> str:
    return f"{'first ' if group.count > 1 else ''}{style.place(group.report)}"


def _count(fold: Fold, style: Style) -> Iterator[str]:
    hidden = list(fold)[SHOWN:]
    more = Counter({"": sum(group.count for group in hidden)}) + fold.more
    if more:
        combinations = f"{len(hidden)} more combinations" if not fold.more else f"more than {len(hidden)} combinations"
        yield f"and {more.total()} failures of {combinations} of client and server; --all shows each line"
        yield ""
    failed = f"{fold.failures} failed" if fold.failures else "no failed handshake"
    kinds = (f"{fold.rest[kind]} {words}" for kind, words in _REST.items() if fold.rest[kind])
    yield f"{_lines(fold.lines)}: " + ", ".join((style.paint(failed, "1"), *kinds))
    if 0 < fold.rest[NO_ACCESS_LOG] == fold.lines:
        yield from style.wrap(_NONE)
    elif fold.rest[CANNOT_TELL]:
        yield from style.wrap(_HINT)


def _lines(count: int) -> str:
    return f"{count} line" if count == 1 else f"{count} lines"
