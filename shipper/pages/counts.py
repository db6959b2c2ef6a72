"""The agent's counters as the overview shows them: the ledger by reason, and the failures by app, side and reason."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from shipper.metrics import Metrics
from shipper.pages.frame import Column, bar, section, table
from shipper.pages.html import Html, element, joined
from shipper.pages.words import number

MOST_ROWS: Final = 50  # of a table of failures
_SIDES: Final = {
    "downstream": "Clients that failed at this node's proxies",
    "upstream": "Servers at which this node's proxies failed",
}
_MEANINGS: Final = {
    "read": "complete lines",
    "filtered": "not kept",
    "sent": "Loki has them",
    "dropped": "never sent",
    "pending": "on their way",
}


class Failures(NamedTuple):
    """Failed handshakes of one app, on one side, for one reason."""

    app: str
    reason: str
    times: int
    unshipped: int  # of these


def samples(metric: MetricWrapperBase) -> Iterator[tuple[Mapping[str, str], int]]:
    """The labels and the value of each series that is not zero."""
    for family in metric.collect():
        for sample in family.samples:
            if sample.value and not sample.name.endswith("_created"):
                yield sample.labels, int(sample.value)


def ledger_section(metrics: Metrics) -> Html:
    """read = filtered + sent + dropped + pending, and the reasons."""
    ledger = metrics.ledger()
    signs = ("", "=", "+", "+", "+")
    parts = [
        element(
            "div",
            element("span", sign, class_="sign", aria_hidden="true") if sign else None,
            element("span", number(ledger[name]), class_="figure"),
            element("span", name, class_="label"),
            element("span", _MEANINGS[name], class_="meaning"),
            class_=f"part {name}" + (" bad" if name == "dropped" and ledger[name] else ""),
        )
        for sign, name in zip(signs, _MEANINGS, strict=True)
    ]
    reasons = [
        (what, labels["reason"], number(count), bar(count / max(1, ledger["read"])))
        for what, metric in (("filtered", metrics.lines_filtered), ("dropped", metrics.entries_dropped))
        for labels, count in sorted(samples(metric), key=lambda found: -found[1])
    ]
    columns = [Column("", "Line"), Column("Reason", "Reason"), Column("Lines", "Lines", True), Column("Share", "Share")]
    return section(
        "Ledger",
        element("div", *parts, class_="ledger"),
        table(columns, reasons) if reasons else None,
        note="Lines and entries since this agent started.",
    )


def failures_section(metrics: Metrics, *, counts: bool, ships: bool) -> Html:
    """The failed handshakes by side: the two sides of one connection may both be counted, so they are never summed."""
    by_side = failures(metrics)
    if not by_side:
        none = "None was seen." if counts else "They are not counted: count_failures is false."
        return section("Failed handshakes", element("p", none, class_="none"))
    content = [_side(side, by_side[side], ships=ships) for side in _SIDES if side in by_side]
    return section("Failed handshakes", *content, note="Each connection once, since this agent started.")


def failures(metrics: Metrics) -> dict[str, list[Failures]]:
    """By side, the most frequent first."""
    counts: dict[tuple[str, str, str], dict[bool, int]] = defaultdict(lambda: {True: 0, False: 0})
    for labels, count in samples(metrics.handshake_failures):
        app = "/".join(filter(None, (labels["namespace"], labels["app"]))) or "(not known)"
        counts[labels["side"], app, labels["failure_reason"]][labels["shipped"] == "true"] += count
    by_side: dict[str, list[Failures]] = defaultdict(list)
    for (side, app, reason), found in counts.items():
        by_side[side].append(Failures(app, reason, sum(found.values()), found[False]))
    return {side: sorted(rows, key=lambda one: (-one.times, one)) for side, rows in by_side.items()}


def _side(side: str, rows: list[Failures], *, ships: bool) -> Html:
    most = max(row.times for row in rows)
    has_unshipped = ships and any(row.unshipped for row in rows)
    columns = [Column("App", "App"), Column("Reason", "Reason"), Column("Failures", "Failures", True)]
    columns += [Column("Not shipped", "Not shipped", True)] if has_unshipped else []
    shown = [
        (row.app, element("code", row.reason), number(row.times))
        + ((number(row.unshipped),) if has_unshipped else ())
        + (bar(row.times / most),)
        for row in rows[:MOST_ROWS]
    ]
    more = f"and {number(len(rows) - MOST_ROWS)} rows more, on /metrics" if len(rows) > MOST_ROWS else None
    return joined(
        element("h3", _SIDES[side], element("span", side, class_="beside")),
        table([*columns, Column("", "Share")], shown),
        element("p", more, class_="note") if more else None,
    )
