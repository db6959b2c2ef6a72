"""A report as Markdown, for a ticket.

Values of lines stand in code spans, where neither HTML, links nor mentions mean anything; a span's fence is longer than
any run of backticks in it.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from shipper.explain.render import safe
from shipper.report import sentences, words
from shipper.report.model import Radius, Report, Row
from shipper.report.names import ShortNames, more
from shipper.report.sentences import Said, Section
from shipper.report.timeline import sparkline

MOST_RADII: Final = 5
_TREND: Final = 20
_BACKTICKS: Final = re.compile("`+")


def markdown(report: Report) -> str:
    """The whole report."""
    return "\n".join(chain.from_iterable(_Markdown(report).parts())) + "\n"


def code(value: str) -> str:
    """The value as code."""
    value = safe(value)
    fence = "`" * (1 + max((len(found) for found in _BACKTICKS.findall(value)), default=0))
    pad = " " if value[:1] in ("`", "") or value[-1:] == "`" else ""
    return f"{fence}{pad}{value}{pad}{fence}"


def cell(value: str) -> str:
    """The value as code within a table."""
    return code(value).replace("|", r"\|")


class _Markdown:
    def __init__(self, report: Report) -> None:
        self._report, self._names, self._day = report, ShortNames(report), sentences.day_of(report)

    def parts(self) -> Iterator[Iterator[str]]:
        """Lines, part by part."""
        report = self._report
        yield self._head()
        for section in sentences.sections(report):
            yield self._section(section)
        yield self._paragraph(sentences.left_out(report))
        if report.seen:
            yield self._radii("Client", report.clients, "at")
            yield self._radii("Service", report.servers, "for")
        yield self._tail()

    def _head(self) -> Iterator[str]:
        report = self._report
        yield f"## {sentences.heading(report)}"
        yield from self._paragraph(
            "; ".join(filter(None, (words.span(report.begin, report.end), sentences.sides(report))))
        )
        for found in report.findings:
            yield from self._paragraph(f"**Cause:** {self._said(sentences.finding(found, report))}")
        if grown := sentences.growth(report):
            yield from self._paragraph(f"**Grew:** {grown}")
        yield from self._paragraph(sentences.compared(report))

    @staticmethod
    def _paragraph(text: str) -> Iterator[str]:
        if text:
            yield from ("", text)

    @staticmethod
    def _said(said: Said) -> str:
        return f"{said.before}{code(said.value) if said.value else ''}{_plain(said.after)}"

    def _section(self, section: Section) -> Iterator[str]:
        total, rows = section
        yield from ("", f"### {total.reason} ({total.side}), {words.counted(total.connections, 'connection')}")
        usual = f" Usually {rows[0].causes[0]}." if rows[0].causes else ""
        yield from ("", f"{total.summary}{_plain(usual)}")
        yield from ("", "| Client | Server | Connections | First | Last | Addresses | Pods | Trend |")
        yield "|---|---|---:|---|---|---:|---:|---|"
        yield from map(self._row, rows)
        if rows[0].next:
            yield from ("", "```sh", *map(safe, rows[0].next), "```")

    def _row(self, row: Row) -> str:
        wide = -(-len(row.trend) // _TREND) or 1
        trend = [sum(row.trend[at : at + wide]) for at in range(0, len(row.trend), wide)]
        last = sentences.last(row, self._day) + (", **new**" if row.is_new else "")
        cells = (
            cell(self._names.of(row.client)),
            cell(self._names.of(row.server)),
            words.number(row.connections),
            words.clock(row.first, self._day),
            last,
            words.number(row.addresses.count) + ("" if row.addresses.is_exact else "+"),
            words.number(row.pods.count) + ("" if row.pods.is_exact else "+"),
            sparkline(trend),
        )
        return f"| {' | '.join(cells)} |"

    def _radii(self, title: str, radii: tuple[Radius, ...], verb: str) -> Iterator[str]:
        yield from ("", f"| {title} | Connections | Reasons | {verb.capitalize()} |", "|---|---:|---|---|")
        for radius in radii[:MOST_RADII]:
            others = ", ".join(cell(self._names.of(other)) for other in radius.others[:3]) + more(
                radius.others_count, 3
            )
            name, count = cell(self._names.of(radius.party)), words.number(radius.connections)
            count += sentences.of_side(radius.side, self._report)
            yield f"| {name} | {count} | {words.reasons(radius.reasons)} | {others} |"
        yield from self._paragraph(more(len(radii), MOST_RADII).strip())

    def _tail(self) -> Iterator[str]:
        report = self._report
        if report.lines:
            yield from self._paragraph(f"No failure: {_plain(sentences.no_failures(report))}.")
        for note in report.notes:
            yield from self._paragraph(f"Note: {code(note)}")
        if self._names.trust_domain:
            domain = code(self._names.trust_domain)
            yield from self._paragraph(f"Identities are of the trust domain {domain} where none is written.")


def _plain(text: str) -> str:
    """Our own words, in which an underscore or a star must not begin an emphasis."""
    return re.sub(r"([*<])", r"\\\1", text)
