"""Nothing that counts failures adds up sides.

A handshake that fails between two proxies of a mesh may be a line at either end, on two nodes, and nothing joins them.
So dashboards, rules and documents keep `side` apart, or ask for one.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.known import DEPLOY, FAILURES
from tests.deploy.queries import Query, logql, merged, promql
from tests.deploy.test_grafana import FILES, load, targets

ROOT = Path(__file__).parents[2]
RULES = {
    "loki": yaml.safe_load((DEPLOY / "loki" / "rules.yaml").read_text())["groups"],
    "prometheus": yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())["spec"]["groups"],
}
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted(DEPLOY.glob("**/*.md"))]


def queries() -> list[Any]:
    """Kind and text of every query of dashboards and rules."""
    panels = [
        (f"{title} {target['refId']}", target["datasource"]["type"], target["expr"])
        for name in FILES
        for title, target in targets(load(name))
    ]
    rules = [
        (rule.get("alert") or rule["record"], kind, rule["expr"])
        for kind, groups in RULES.items()
        for group in groups
        for rule in group["rules"]
    ]
    return [pytest.param(kind, text, id=f"{kind} {name}") for name, kind, text in panels + rules]


def adds_up_sides(text: str, query: Query) -> bool:
    """Whether an aggregation puts both sides into one number."""
    asked = [selector.get("side", ("", "")) for selector in query.selectors]
    one_side = bool(asked) and all(operator == "=" and not value.startswith("$") for operator, value in asked)
    return not one_side and not all("side" in kept for kept in merged(text))


def counts_failures(kind: str, query: Query) -> bool:
    """Whether it is about failures: all that Loki has of us is, and two metrics."""
    return kind == "loki" or any(name in FAILURES or ":mtls_handshake_failures:" in name for name in query.metrics)


@pytest.mark.parametrize(("kind", "text"), queries())
def test_a_query_keeps_sides_apart(kind: str, text: str) -> None:
    query = logql(text) if kind == "loki" else promql(text)
    if counts_failures(kind, query):
        assert not adds_up_sides(text, query)


def written() -> list[Any]:
    """Every query of a document that counts lines or failures, without what is kept of timeouts alone."""
    found = []
    for path in DOCUMENTS:
        blocks = re.findall(r"^```\w*\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE)
        lines = [line.partition("  #")[0] for block in blocks for line in block.splitlines()]
        counting = [line for line in lines if "count_over_time(" in line or "mtls_handshake_failures_total" in line]
        found += [pytest.param(line, id=f"{path.name}: {line[:40]}") for line in counting if "sum" in line]
    return found


@pytest.mark.parametrize("text", written())
def test_a_document_keeps_sides_apart(text: str) -> None:
    query = logql(text) if "count_over_time" in text else promql(text)
    timeouts = [selector.get("response_flags") == ("=", "UT") for selector in query.selectors]  # of one side by nature
    assert all(timeouts) or not adds_up_sides(text, query)


def test_documents_with_queries_are_found() -> None:
    assert len(written()) >= 4


@pytest.mark.parametrize(
    ("text", "adds_up"),
    [
        ('sum(count_over_time({job="j"}[5m]))', True),
        ('sum by (app) (count_over_time({job="j"}[5m]))', True),
        ('sum(count_over_time({job="j"}[5m])) by (app)', True),
        ('sum by (app, side) (count_over_time({job="j"}[5m]))', False),
        ('sum(count_over_time({job="j"}[5m])) by (side)', False),
        ('sum by (app) (count_over_time({job="j", side="upstream"}[5m]))', False),
        ('sum by (app) (count_over_time({job="j", side=~"$side"}[5m]))', True),
        ('count(sum by (app, side) (count_over_time({job="j"}[5m])))', True),
        ('topk(3, sum by (app, side) (count_over_time({job="j"}[5m])))', False),
    ],
)
def test_what_adds_up_is_seen(text: str, adds_up: bool) -> None:
    assert adds_up_sides(text, logql(text)) == adds_up
