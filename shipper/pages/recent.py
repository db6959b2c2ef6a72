"""The lines that were kept last, each with why it failed. Only where lines may be shown."""

from collections.abc import Callable, Mapping
from typing import Any

from shipper.explain.kept import explain_kept, row_of
from shipper.explain.report import Report
from shipper.model import Entry
from shipper.pages.frame import section
from shipper.pages.html import Html, element, joined, lines
from shipper.tap.border import MOST_RECENT, Tap
from shipper.tap.label_text import labels_of
from shipper.times import rfc3339

_TITLE = "Kept last"


def recent_section(tap: Tap | None, refusal: str, loads: Callable[[bytes], Any]) -> Html:
    """The newest first; `refusal` says why they are not shown. `loads` reads their JSON."""
    if tap is None or refusal:
        return section(_TITLE, element("p", f"Lines and identities are not shown here: {refusal}.", class_="none"))
    kept = [(entry, labels) for labels, entry in _entries(tap)]
    if not kept:
        return section(_TITLE, element("p", "Nothing was kept yet.", class_="none"))
    rows = [_row(entry, labels, loads) for entry, labels in kept]
    return section(_TITLE, element("div", *rows, class_="kept"), note="The newest first; each opens to why it failed.")


def _entries(tap: Tap) -> list[tuple[Mapping[str, str], Entry]]:
    found: list[tuple[Mapping[str, str], Entry]] = []
    for entries in reversed(tap.recent()):
        labels = labels_of(entries.labels)
        room = MOST_RECENT - len(found)
        columns = entries.unpacked()
        found += [(labels, entry) for entry in columns.part(max(0, len(columns) - room))]
    return sorted(found, key=lambda one: -one[1].nanos)


def _row(entry: Entry, labels: Mapping[str, str], loads: Callable[[bytes], Any]) -> Html:
    report = explain_kept(entry.line, labels, loads)
    line = element("pre", entry.line.decode(errors="backslashreplace"))
    when = rfc3339(entry.nanos)
    time = element("time", when[11:23], title=when)
    if report is None:
        return element("details", element("summary", time, element("span", "cannot be read", class_="reason")), line)
    found = row_of(report, labels)
    summary = element(
        "summary",
        time,
        element("span", found.why, class_="reason"),
        element("span", found.who, class_="who"),
        element("span", "→ ", found.whom, class_="whom"),
    )
    return element("details", summary, _explained(report), line)


def _explained(report: Report) -> Html:
    causes = [element("li", cause) for cause in report.causes]
    certificate = report.certificate
    return joined(
        element("p", report.meaning),
        element("p", f"Certificate: {certificate.in_words}") if certificate else None,
        element("ul", *causes) if causes else None,
        element("pre", lines(report.next)) if report.next else None,
    )
