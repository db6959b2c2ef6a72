"""`/`: what a person wants to see first of an agent."""

import time
from collections.abc import Mapping
from typing import Any, Final

from shipper.config.in_force import in_force
from shipper.pages.counts import failures_section, ledger_section
from shipper.pages.facts import Facts
from shipper.pages.frame import page, section
from shipper.pages.html import Html, element, lines
from shipper.pages.logs import most_behind
from shipper.pages.recent import recent_section
from shipper.pages.state import state_list
from shipper.pages.words import moment, number, span

MOST_LOGS: Final = 10
_KEEPS: Final = {"ut": "lines flagged UT", "mtls": "failed handshakes, and lines flagged UT"}


def overview(facts: Facts, told: Mapping[str, Any], refusal: str) -> Html:
    """The page; `told` is what /targets shows, `refusal` why lines are not shown."""
    scrape, targets = facts.scrape, told["targets"]
    return page(
        facts,
        "/",
        "Overview",
        _about(facts),
        state_list(facts, told),
        failures_section(facts.metrics, counts=scrape.count_failures, ships=told["loki"]["url"] is not None),
        ledger_section(facts.metrics),
        _logs(targets),
        recent_section(facts.tap, refusal, facts.loads),
        _configuration(facts),
    )


def _configuration(facts: Facts) -> Html:
    text = element("pre", lines(in_force(facts.config).splitlines()))
    return section("Configuration", element("details", element("summary", "in force, with defaults"), text))


def _about(facts: Facts) -> Html:
    pairs = (
        ("Node", facts.node or "not known"),
        ("Up", f"{span(time.time() - facts.started)}, since {moment(facts.started)}"),
        ("Keeps", f"{facts.scrape.keep}: {_KEEPS[facts.scrape.keep]}"),
        ("Job", facts.scrape.job_name),
    )
    return element("dl", *(element("div", element("dt", name), element("dd", said)) for name, said in pairs))


def _logs(targets: list[Mapping[str, Any]]) -> Html:
    if not targets:
        return section("Logs", element("p", "None was found.", class_="none"))
    every = f"All {number(len(targets))} logs" if len(targets) > MOST_LOGS else "More of these logs"
    return section("Logs", most_behind(targets, MOST_LOGS), element("p", element("a", every, href="/targets")))
