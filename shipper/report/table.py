"""A report for a terminal: tables that fit its width.

A peer chooses its own name, so nothing of a line reaches the terminal before its control characters are escaped, and
nothing of it is read as markup.
"""

import io
from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from shipper.explain.render import safe
from shipper.explain.shell import folded
from shipper.report import sentences, words
from shipper.report.model import Distinct, Radius, Report, Row
from shipper.report.names import ShortNames, more
from shipper.report.sentences import Said, Section
from shipper.report.timeline import BARS, PLAIN_BARS, sparkline

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MOST_RADII: Final = 3
MOST_OTHERS: Final = 1
MOST_COMMANDS: Final = 4
_TREND: Final = 24  # columns of a trend
_LABEL: Final = 10
_WITH_TREND: Final = 100  # columns of a terminal


def table(report: Report, width: int, *, color: bool, is_unicode: bool) -> str:
    """The whole report; `width` in columns."""
    from rich.console import Console

    to = io.StringIO()
    console = Console(file=to, width=width, force_terminal=color, color_system="standard" if color else None,
                      no_color=not color, highlight=False, markup=False, emoji=False, soft_wrap=False)  # fmt: skip
    _Table(console, report, is_unicode=is_unicode).print()
    text = to.getvalue()
    lines = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    return lines if is_unicode else lines.encode("ascii", "backslashreplace").decode()


class _Table:
    """Prints one report."""

    def __init__(self, console: "Console", report: Report, *, is_unicode: bool) -> None:
        self._console, self._report = console, report
        self._names = ShortNames(report)
        self._day = sentences.day_of(report)
        self._bars, self._dot, self._dash = (BARS, "·", "→") if is_unicode else (PLAIN_BARS, "-", "->")

    def print(self) -> None:
        """All of it, from the most telling on."""
        report = self._report
        self._say(sentences.heading(report), "bold")
        self._say("; ".join(filter(None, (words.span(report.begin, report.end), sentences.sides(report)))))
        for found in report.findings:
            self._labelled("cause", sentences.finding(found, report), "bold red")
        self._labelled("grew", Said(sentences.growth(report)))
        self._labelled("compared", Said(sentences.compared(report)))
        for section in sentences.sections(report):
            self._section(section)
        self._say(sentences.left_out(report))
        self._radii()
        self._labelled("no failure", Said(sentences.no_failures(report) if report.lines else ""))
        for note in report.notes:
            self._labelled("note", Said("", note))
        if self._names.trust_domain:
            self._labelled(
                "names", Said("identities are of the trust domain ", self._names.trust_domain, " where none is written")
            )

    # -- a paragraph

    def _say(self, text: str, style: str = "") -> None:
        from rich.text import Text

        if text:
            self._console.print(Text(safe(text), style), overflow="fold")

    def _labelled(self, label: str, said: Said, style: str = "") -> None:
        """A sentence beside its label."""
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        if not any(said):
            return
        sentence = Text.assemble(safe(said.before), (safe(said.value), style), safe(said.after))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=_LABEL)
        grid.add_column(overflow="fold")
        grid.add_row(Text(label, style or "bold"), sentence)
        self._console.print(Padding(grid, 0))

    # -- the rows of one reason

    def _section(self, section: Section) -> None:
        total, rows = section
        self._console.print()
        state = f"{words.counted(total.connections, 'connection')} since {words.clock(total.first, self._day)}"
        self._labelled_head(f"{total.reason} ({total.side})", state, total.trend)
        self._say(f"{total.summary} Usually {rows[0].causes[0]}." if rows[0].causes else total.summary)
        self._console.print(self._table_of(rows))
        self._commands(rows[0])

    def _labelled_head(self, title: str, state: str, trend: Sequence[int]) -> None:
        from rich.text import Text

        line = Text.assemble((title, "bold yellow"), "  ", state, "  ", self._trend(trend))
        self._console.print(line, overflow="ellipsis", no_wrap=True)

    def _table_of(self, rows: Sequence[Row]) -> "Table":
        from rich.table import Table
        from rich.text import Text

        made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
        for name in ("client", "server"):
            made.add_column(name, overflow="fold", min_width=12)
        for name in ("count", "first", "last"):
            made.add_column(name, justify="right" if name == "count" else "left", no_wrap=True)
        for name in ("addr", "pods"):
            made.add_column(name, justify="right", no_wrap=True)
        if self._console.width >= _WITH_TREND:
            made.add_column("trend", no_wrap=True, min_width=min(_TREND, self._console.width // 8))
        for row in rows:
            cells = [
                safe(self._names.of(row.client)),
                safe(self._names.of(row.server)),
                words.number(row.connections),
                words.clock(row.first, self._day),
                sentences.last(row, self._day) + (", new" if row.is_new else ""),
                _distinct(row.addresses),
                _distinct(row.pods),
                self._trend(row.trend),
            ]
            made.add_row(*map(Text, cells[: len(made.columns)]))
        return made

    def _commands(self, row: Row) -> None:
        """What to run next, for the first row."""
        if row.certificate and row.certificate.in_words:
            self._say(f"certificate: {row.certificate.in_words}")
        for command in row.next[:MOST_COMMANDS]:
            for mark, line in zip(chain("$", repeat(" ")), folded(command, self._console.width - 2), strict=False):
                self._say(f"{mark} {line}", "cyan")

    # -- blast radius

    def _radii(self) -> None:
        report = self._report
        if not report.seen:
            return
        self._console.print()
        for name, radii, verb in (("client", report.clients, "at"), ("service", report.servers, "for")):
            for place, radius in enumerate(radii[:MOST_RADII], 1):
                label = f"{name}s" if place == 1 else ""
                said = self._radius(radius, verb)
                rest = more(len(radii), MOST_RADII) if place == MOST_RADII else ""
                self._labelled(label, said._replace(after=said.after + (f";{rest} {name}s" if rest else "")))

    def _radius(self, radius: Radius, verb: str) -> Said:
        others = ", ".join(self._names.of(other) for other in radius.others[:MOST_OTHERS])
        side = f"{radius.side}: " if len(self._report.seen) > 1 else ""
        failed = f"{words.number(radius.connections)} ({side}{words.reasons(radius.reasons)})"
        return Said(
            "",
            self._names.of(radius.party),
            f" {self._dash} {failed} {verb} {others}{more(radius.others_count, MOST_OTHERS)}",
        )

    def _trend(self, trend: Sequence[int]) -> str:
        width = min(_TREND, self._console.width // 8)
        wide = -(-len(trend) // width) or 1
        return sparkline([sum(trend[at : at + wide]) for at in range(0, len(trend), wide)], self._bars)


def _distinct(found: Distinct) -> str:
    return words.number(found.count) + ("" if found.is_exact else "+")
