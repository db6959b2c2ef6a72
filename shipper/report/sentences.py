"""The sentences that every output for people has: heading, findings, comparison, what is no failure.

Values of lines are given apart from words of ours, so that each output escapes them in its own way.
"""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final, NamedTuple

from shipper.pipeline.failure import DOWNSTREAM, UPSTREAM
from shipper.report import words
from shipper.report.model import Finding, Reason, Report, Row, Side
from shipper.report.reading import FAILED, KINDS
from shipper.times import SECOND, parse_iso_time

_SIDES: Final[Mapping[Side, str]] = {DOWNSTREAM: "the server's proxy", UPSTREAM: "the client's proxy"}
_GREW: Final = 2  # times as many in the second half as in the first
_FEW: Final = 5


class Said(NamedTuple):
    """A sentence around a value that a peer may have chosen; empty for none."""

    before: str
    value: str = ""
    after: str = ""


class Section(NamedTuple):
    """The rows of one reason on one side."""

    total: Reason
    rows: tuple[Row, ...]


def heading(report: Report) -> str:
    """How many failed, between how many, in what."""
    lines = f"{words.counted(sum(report.lines.values()), 'line')} of {words.counted(report.logs, 'log')}"
    if not report.seen:
        return (
            f"No failed handshake in {lines}." if sum(report.lines.values()) else "There was nothing to read: no line."
        )
    failed = {
        side: words.counted(count, "connection") + " failed in the TLS handshake" for side, count in report.seen.items()
    }
    if len(failed) > 1:
        failed = {side: f"{said} as {_SIDES[side]} saw it ({side})" for side, said in failed.items()}
    parts = (f"{said}, between {_pairs(report, side)} of client and server" for side, said in failed.items())
    return f"{'; '.join(parts)}; in {lines}." if len(failed) > 1 else f"{next(parts)}, in {lines}."


def _pairs(report: Report, side: Side) -> str:
    return words.counted(report.sides[side].pairs, "pair") + ("" if report.left_out.is_exact else " at least")


def sides(report: Report) -> str:
    """Who saw them, and why both sides are not added up."""
    if len(report.seen) > 1:
        return "a connection between two proxies may be on both sides, so they are not added up"
    return "".join(f"all seen by {_SIDES[side]} ({side})" for side in report.seen)


def of_side(side: Side, report: Report) -> str:
    """` (upstream)`, where there is another side in the report; else empty."""
    return f" ({side})" if len(report.seen) > 1 else ""


def by_side(connections: Mapping[Side, int]) -> str:
    """`12 connections`; of both sides `12 connections (downstream) and 3 (upstream)`."""
    seen = [(side, count) for side, count in connections.items() if count]
    if len(seen) < 2:
        return words.counted(sum(connections.values()), "connection")
    (first, count), *rest = seen
    also = "".join(f" and {words.number(some)} ({side})" for side, some in rest)
    return f"{words.counted(count, 'connection')} ({first}){also}"


def finding(found: Finding, report: Report) -> Said:
    """One cause, with the share that it explains."""
    of_all = words.number(report.sides[found.side].connections) + (f" {found.side}" if len(report.seen) > 1 else "")
    share = f"{words.percent(found.share)} ({words.number(found.connections)} of {of_all})"
    value = words.clock(found.value, day_of(report)) if found.kind == "moment" else found.value
    since = ""
    if found.first and found.quiet and found.is_sudden:
        since = f"; since {words.clock(found.first, day_of(report))}, none in the {words.length(found.quiet)} before"
    return Said(f"{share} {found.text} ", value, f": {found.detail}{since if found.kind != 'moment' else ''}")


def growth(report: Report) -> str:
    """Which reason grew: beside the time before, else in the second half of the time."""
    share = _now_to_before(report)
    grown = [
        (after - before * share, f"{one.reason} ({one.side}) from {words.number(before)} to {words.number(after)}")
        for one in report.reasons
        for before, after in (_change(one),)
        if after >= _FEW and after >= _GREW * before * share
    ]
    if not grown:
        return ""
    said = ", ".join(text for _, text in sorted(grown, reverse=True)[:2])
    if report.against is None:
        return f"{said}: the first half of the time beside the second"
    lengths = [words.length(_seconds(*times)) for times in ((report.against.begin, report.against.end), _times(report))]
    return f"{said}: {lengths[0]} before beside the {lengths[1]} of now"


def _now_to_before(report: Report) -> float:
    """How long the time of now is beside the time before."""
    against = report.against
    return 1.0 if against is None else _seconds(*_times(report)) / (_seconds(against.begin, against.end) or 1.0)


def _times(report: Report) -> tuple[str, str]:
    return report.begin or "", report.end or ""


def _seconds(begin: str, end: str) -> float:
    times = [parse_iso_time(text) or 0 for text in (begin, end)]
    return (times[1] - times[0]) / SECOND


def _change(one: Reason) -> tuple[int, int]:
    if one.before is not None:
        return one.before, one.connections
    return (one.growth.before, one.growth.after) if one.growth else (0, 0)


def compared(report: Report) -> str:
    """What is new beside the time before."""
    against = report.against
    if against is None:
        return ""
    new = words.counted(against.new_rows, "row is", "rows are")
    gone = words.counted(against.gone_rows, "row is", "rows are")
    before = by_side(against.connections)
    return f"{new} new, {gone} gone; before ({words.span(against.begin, against.end)}) {before} failed."


def no_failures(report: Report) -> str:
    """All lines that tell of no failed connection, by kind."""
    parts = [
        f"{words.number(report.lines[kind])} {text}"
        for kind, text in KINDS.items()
        if kind != FAILED and report.lines.get(kind)
    ]
    return "; ".join(parts)


def left_out(report: Report) -> str:
    """What stands in no row."""
    out = report.left_out
    if not out.rows:
        return ""
    rows = ("" if out.is_exact else "up to ") + words.counted(out.rows, "more row")
    lack = "" if out.is_exact else f"; the count of a row may lack up to {words.number(out.missed_at_most)}"
    shown = {(row.reason, row.side) for row in report.rows}
    unseen = [
        f"{one.reason} {words.number(one.connections)}" for one in report.reasons if (one.reason, one.side) not in shown
    ]
    also = f", among them {', '.join(unseen)}" if unseen else ""
    return f"and {rows} with {by_side(out.connections)}{also}{lack}"


def sections(report: Report) -> Iterator[Section]:
    """The rows by reason and side, in the order of the reasons; a reason that has no row is left out."""
    key = {(one.reason, one.side): at for at, one in enumerate(report.reasons)}
    ordered = sorted(report.rows, key=lambda row: key[row.reason, row.side])
    for (reason, side), rows in groupby(ordered, key=lambda row: (row.reason, row.side)):
        yield Section(report.reasons[key[reason, side]], tuple(rows))


def last(row: Row, day: str) -> str:
    """Its last time, or in a word that it goes on, or was once."""
    if row.goes_on:
        return "goes on"
    return "once" if row.connections == 1 else words.clock(row.last, day)


def day_of(report: Report) -> str:
    """The day that need not be said with each time; empty for more than one."""
    begin, end = (report.begin or "")[:10], (report.end or "")[:10]
    return begin if begin == end else ""
