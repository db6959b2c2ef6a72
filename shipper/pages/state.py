"""How the agent is: what Loki says, the positions, the log directory, the Kubernetes API, and what was lost."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from shipper.config.in_force import without_query
from shipper.pages.counts import samples
from shipper.pages.facts import Facts
from shipper.pages.html import Html, element
from shipper.pages.words import moment, number, size, span
from shipper.times import SECOND, parse_time

FINE, WARN, BAD = "fine", "warn", "bad"
MANY: Final = 6 * 3600.0  # seconds ago; then the day is said too
_WORDS: Final = {FINE: "fine", WARN: "look at it", BAD: "failing"}


class State(NamedTuple):
    """One thing that may be well or not."""

    name: str
    tone: str  # FINE, WARN or BAD
    said: str
    details: tuple[Html | str, ...] = ()


def state_list(facts: Facts, told: Mapping[str, Any]) -> Html:
    """All of it; `told` is what /targets shows."""
    rows = [
        element(
            "li",
            element("span", _WORDS[one.tone], class_="tone"),
            element("span", one.name, class_="what"),
            element(
                "div", element("p", one.said), *(element("div", detail, class_="detail") for detail in one.details)
            ),
            class_=one.tone,
        )
        for one in _states(facts, told)
    ]
    return element("ul", *rows, class_="states")


def _states(facts: Facts, told: Mapping[str, Any]) -> Iterator[State]:
    yield _loki(told["loki"])
    yield _logs(facts, told["targets"])
    positions = told["positions"]
    if positions["failing"]:
        yield State("Positions", BAD, f"cannot be saved: {positions['failing']}", ("A restart sends lines again.",))
    else:
        yield State("Positions", FINE, f"saved in {positions['filename']}")
    yield _memory(facts)
    yield _kubernetes(facts)
    if losses := list(_losses(facts)):
        yield State("Losses", WARN, "; ".join(losses), ("The agent's log names each.",))


def _loki(loki: Mapping[str, Any]) -> State:
    if loki["url"] is None:
        return State("Loki", WARN, "no client is configured: lines are only counted")
    url = without_query(loki["url"])
    streams = loki["failing_streams"]
    details: tuple[Html | str, ...] = (element("code", url),)
    if streams:
        rows = (element("li", element("code", name), f" {why}") for name, why in list(streams.items())[:10])
        details += (f"Streams that fail while others are stored: {len(streams)}", element("ul", *rows))
    if loki["failing"]:
        since = f" since {_when(loki['failing_since'])}" if loki["failing_since"] else ""
        details = (element("code", loki["failing"]), "Nothing is lost: lines wait in their files.", *details)
        return State("Loki", BAD, f"accepts no pushes{since}", details)
    last = f"stored something last at {_when(loki['last_stored'])}" if loki["last_stored"] else "has stored nothing yet"
    return State("Loki", WARN if streams else FINE, last, details)


def _when(time_text: str) -> str:
    """`10:15:02 UTC, 3 min 2 s ago`, with the day where it was not within the last hours."""
    then = (parse_time(time_text.encode()) or 0) / SECOND
    ago = time.time() - then
    return f"{moment(then)[0 if ago > MANY else 11 :]}, {span(ago)} ago"


def _logs(facts: Facts, targets: list[Mapping[str, Any]]) -> State:
    behind = sum(told["lag_bytes"] for told in targets)
    paused = sum(told["paused"] for told in targets)
    root = element("code", facts.scrape.pod_logs.root)
    if not facts.is_ready():
        return State("Logs", BAD, "the log directory was not yet read", (root,))
    errors = _by(facts.metrics.read_errors, "error")
    said = f"{number(len(targets))} followed, {size(behind)} behind"
    if paused:
        said += f"; {number(paused)} wait for Loki"
    if errors:
        return State("Logs", WARN, said, (root, f"Attempts to read that failed: {errors}"))
    return State("Logs", FINE if targets and not paused else WARN, said, (root,))


def _memory(facts: Facts) -> State:
    most, pending = int(facts.config.limits_config.max_in_flight_bytes), facts.pending_bytes()
    said = f"{size(pending)} of {size(most)} in flight"
    return State("Memory", WARN if pending > 0.9 * most else FINE, said)


def _kubernetes(facts: Facts) -> State:
    if not facts.asks_for_pods:
        return State("Kubernetes API", FINE, "is not asked; labels come from the logs' paths")
    pods = sum(count for _, count in samples(facts.metrics.kubernetes_pods))
    errors = _by(facts.metrics.kubernetes_errors, "reason")
    if not pods:
        return State("Kubernetes API", WARN, f"has named no pod yet{'; failed requests: ' + errors if errors else ''}")
    details = (f"Failed requests since the start: {errors}",) if errors else ()
    return State("Kubernetes API", FINE, f"{number(pods)} pods of this node are known", details)


def _losses(facts: Facts) -> Iterator[str]:
    metrics = facts.metrics
    for metric, what in (
        (metrics.files_lost, "files gone before they were read"),
        (metrics.files_truncated, "files that became shorter while they were read"),
        (metrics.quarantine_errors, "refused entries that no quarantine file has"),
    ):
        for _, count in samples(metric):
            yield f"{what}: {number(count)}"


def _by(metric: MetricWrapperBase, label: str) -> str:
    """`EACCES 3, EIO 1`."""
    return ", ".join(f"{labels[label]} {number(count)}" for labels, count in samples(metric))
