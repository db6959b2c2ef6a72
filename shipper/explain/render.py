"""A report as JSON, or as text for a terminal.

A peer chooses its own name, so nothing of a line reaches a terminal before its control characters are escaped. Prose is
wrapped to the width, commands so that a shell reads them as they were; values never are, so that they can be copied.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Final

from shipper.explain.report import Report
from shipper.explain.shell import folded
from shipper.explain.verdict import CANNOT_TELL, NO_FAILURE
from shipper.pipeline.failure import DOWNSTREAM
from shipper.reading.lines import NoAccessLog, Unreadable

_LABEL: Final = 10
_NARROWEST, _WIDEST = 40, 120  # of text that is easily read
_BOLD, _DIM, _RED, _YELLOW, _GREEN = "1", "2", "31;1", "33;1", "32;1"

_SIDES: Final = {
    DOWNSTREAM: "downstream: a client connected to this proxy",
    "upstream": "upstream: this proxy connected to a server",
}
# It did not come through the mesh, whatever its pod is: a sidecar may be told to send plaintext.
_WITHOUT_MTLS: Final = (("plaintext", DOWNSTREAM), ("no_client_cert", DOWNSTREAM))
_BARE: Final = ", without the mesh's mTLS"
PROSE: Final = ("means", "causes", "missing", "unknown")  # rows that are the same for each failure of a kind
_WRAPPED: Final = (*PROSE, "trust", "cert")
_COMMANDS: Final = "next"
_LISTS: Final = ("causes", "missing")

Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Style:
    """How text is written."""

    width: int
    color: bool
    names_files: bool = False  # lines of several files are shown

    def paint(self, value: str, tone: str) -> str:
        """The text in a colour, where there are any."""
        return f"\x1b[{tone}m{value}\x1b[0m" if self.color else value

    def wrap(self, text: str, hanging: str = "") -> list[str]:
        """The lines of prose beside a label; all but the first begin with `hanging`."""
        width = max(_NARROWEST, min(_WIDEST, self.width)) - _LABEL - 2
        return wrap(text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)

    def fold(self, command: str) -> Iterator[str]:
        """The lines of a command beside a label."""
        return folded(command, max(_NARROWEST, self.width) - _LABEL - 2)

    def place(self, found: Report | Unreadable | NoAccessLog) -> str:
        """Where a line stands."""
        return f"{safe(found.file)}:{found.line}" if self.names_files and found.file else f"line {found.line}"

    def block(self, rows: Iterable[Row]) -> Iterator[str]:
        """The rows as lines."""
        for label, value in rows:
            yield f"  {self.paint(label.ljust(_LABEL), _DIM)}{safe(value)}"


def as_json(found: Report | Unreadable | NoAccessLog) -> str:
    """One line of JSON, all ASCII, which is safe for any terminal and encoding."""
    return json.dumps(asdict(found), separators=(",", ":"))


def as_text(found: Report | Unreadable | NoAccessLog, style: Style) -> str:
    """A block of lines, without the last newline."""
    place = style.place(found)
    if not isinstance(found, Report):
        what = "not readable" if isinstance(found, Unreadable) else "no access log"
        return f"{place}: {style.paint(what, _YELLOW)}: {safe(found.error)}"
    head = f"{place}: {style.paint(found.failure_reason or found.summary, tone(found))}"
    return "\n".join((head, *style.block(rows(found, style))))


def safe(value: str) -> str:
    r"""The text, with characters that a terminal might obey or hide written as `\x1b` or `\u202e`."""
    if value.isprintable():
        return value
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in value)


def tone(report: Report) -> str:
    """The colour of a verdict."""
    if report.verdict == NO_FAILURE:
        return _GREEN
    return _YELLOW if report.verdict == CANNOT_TELL or not report.keep else _RED


def rows(report: Report, style: Style, *, without: Iterable[str] = ()) -> Iterator[Row]:
    """Labels and values, without the rows of some labels; of equal labels only the first is shown."""
    for label, values in _VALUES.items():
        shown = label
        for value in values(report) if label not in without else ():
            for line in _lines(label, value, style):
                yield shown, line
                shown = ""


def _lines(label: str, value: str, style: Style) -> Iterable[str]:
    if label == _COMMANDS:
        return style.fold(value)
    return style.wrap(value, "  " if label in _LISTS else "") if label in _WRAPPED else (value,)


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
        yield f"from {who.address}" + (_had(report) if report.side == DOWNSTREAM else "")


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
            yield f"host {to.host}{_had(report)}"


def _had(report: Report) -> str:
    """Who had the address that was just named, and without what it came."""
    peer = report.peer
    if peer.pod:
        had = f", which was pod {peer.pod}" + (f" in {peer.namespace}" if peer.namespace else "")
    elif peer.workload:
        had = f", which was {peer.workload}"
    elif peer.node and peer.kind == "node":
        had = f", which was node {peer.node} or a pod of its host network"
    else:
        had = ", which is none of this cluster's" if peer.kind == "external" else ""
    return had + _BARE if peer.workload and (report.failure_reason, report.side) in _WITHOUT_MTLS else had


def _proxy(report: Report) -> Iterator[str]:
    if report.proxy.pod:
        yield report.proxy.pod + (f" in {report.proxy.namespace}" if report.proxy.namespace else "")


def _cert(report: Report) -> Iterator[str]:
    if held := report.certificate:
        yield f"{held.start or '?'} to {held.end or '?'}: {held.in_words}"


_VALUES: Final[dict[str, Callable[[Report], Iterable[str]]]] = {
    "side": lambda report: (_SIDES[report.side],) if report.side else (),
    "time": lambda report: (report.time,) if report.time else (),
    "who": _who,
    "to": _whom,
    "trust": lambda report: report.trust,
    "proxy": _proxy,
    "cert": _cert,
    "envoy": lambda report: (f"{key}: {value}" for key, value in report.evidence.items()),
    "means": lambda report: (report.meaning,),
    "causes": lambda report: (f"- {cause}" for cause in report.causes),
    "next": lambda report: report.next,
    "missing": lambda report: (f"{one.operator}, {one.where}: {one.tells}" for one in report.missing),
    "unknown": lambda report: report.limits,
}
