"""A report as JSON, or as text for a terminal.

A peer chooses its own name, so nothing of a line reaches a terminal before its control characters are escaped.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import wrap
from typing import Final

from shipper.explain.report import Report
from shipper.explain.verdict import CANNOT_TELL, NO_FAILURE
from shipper.pipeline.failure import DOWNSTREAM
from shipper.reading.lines import NoAccessLog, Unreadable

_WIDTH: Final = 108  # of prose; values are never broken
_LABEL: Final = 10
_BOLD, _DIM, _RED, _YELLOW, _GREEN = "1", "2", "31;1", "33;1", "32;1"

_SIDES: Final = {
    DOWNSTREAM: "downstream: a client connected to this proxy",
    "upstream": "upstream: this proxy connected to a server",
}


def as_json(found: Report | Unreadable | NoAccessLog) -> str:
    """One line of JSON, all ASCII, which is safe for any terminal and encoding."""
    return json.dumps(asdict(found), separators=(",", ":"))


def as_text(found: Report | Unreadable | NoAccessLog, *, color: bool) -> str:
    """A block of lines, without the last newline."""

    def paint(value: str, tone: str) -> str:
        return f"\x1b[{tone}m{value}\x1b[0m" if color else value

    if not isinstance(found, Report):
        return f"line {found.line}: {paint('not readable', _YELLOW)}: {safe(found.error)}"
    lines = [f"line {found.line}: {paint(found.failure_reason or found.summary, _tone(found))}"]
    for label, value in _rows(found):
        lines.append(f"  {paint(label.ljust(_LABEL), _DIM)}{safe(value)}")
    return "\n".join(lines)


def safe(value: str) -> str:
    r"""The text, with characters that a terminal might obey or hide written as `\x1b` or `\u202e`."""
    if value.isprintable():
        return value
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in value)


def _tone(report: Report) -> str:
    if report.verdict == NO_FAILURE:
        return _GREEN
    return _YELLOW if report.verdict == CANNOT_TELL or not report.keep else _RED


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    """Labels and values; of equal labels only the first is shown."""
    if report.side:
        yield "side", _SIDES[report.side]
    if report.time:
        yield "time", report.time
    yield from _list("who", _who(report))
    yield from _list("to", _whom(report))
    yield from _list("trust", (line for one in report.trust for line in wrap(one, _WIDTH)))
    if held := report.certificate:
        yield "cert", f"{held.start or '?'} to {held.end or '?'}: {held.in_words}"
    yield from _list("envoy", (f"{key}: {value}" for key, value in report.evidence.items()))
    yield from _list("means", wrap(report.meaning, _WIDTH))
    yield from _list("causes", (f"- {cause}" for cause in report.causes))
    yield from _list("next", report.next)
    yield from _list("missing", (f"{one.operator}, {one.where}: {one.tells}" for one in report.missing))
    yield from _list("unknown", (line for limit in report.limits for line in wrap(limit, _WIDTH)))


def _list(label: str, values: Iterator[str] | tuple[str, ...] | list[str]) -> Iterator[tuple[str, str]]:
    for value in values:
        yield label, value
        label = ""


def _who(report: Report) -> Iterator[str]:
    who = report.who
    if who.san:
        yield who.san
    if who.subject:
        yield f"subject {who.subject}" + (f", issuer {who.issuer}" if who.issuer else "")
    if who.serial:
        yield f"serial {who.serial}"
    if who.workload:
        yield f"workload {who.workload}"
    if who.claimed:
        yield f"workload {who.claimed}, a claim"
    if who.address:
        yield f"from {who.address}"


def _whom(report: Report) -> Iterator[str]:
    to = report.to
    if to.san:
        yield to.san
    if to.sni:
        yield f"SNI {to.sni}"
    if to.workload:
        yield f"workload {to.workload}"
    if to.address:
        yield f"at {to.address}"
    if report.side != DOWNSTREAM:  # a client that failed reached no upstream, whatever the proxy connected to
        if to.cluster:
            yield f"cluster {to.cluster}"
        if to.host:
            yield f"host {to.host}"
