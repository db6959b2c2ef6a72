"""The tests, metrics, alerts and log lines that the page of failures names exist."""

import re
from pathlib import Path

import yaml

from shipper.agent import Agent, Options
from shipper.config.file import parse

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "what-happens-when.md").read_text()
TROUBLES = PAGE.split("\n## Figures\n")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TROUBLES.splitlines()
    if line.startswith("|") and not line.startswith(("| Trouble |", "|---"))
]
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yaml").read_text())["spec"]["groups"]


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 60
    assert named <= set(re.findall(r"def (test_\w+)\(", tests))


def test_every_trouble_has_a_proof() -> None:
    assert len(ROWS) > 50
    for row in ROWS:
        assert len(row) == 4, row
        assert "`test_" in row[3] or "`make soak`" in row[3], row


async def test_every_metric_that_is_named_exists() -> None:
    named = set(re.findall(r"`(shipper_\w+)`", PAGE))
    agent = Agent(parse(b"clients: [{url: 'http://loki/'}]", "test.yaml", {}), Options())
    code = "\n".join(path.read_text() for path in (ROOT / "shipper" / "source").glob("*.py"))
    known = {sample.name for family in agent.metrics.registry.collect() for sample in family.samples}
    known |= {f"{family.name}_total" for family in agent.metrics.registry.collect()}
    assert named <= known | set(re.findall(r'"(shipper_\w+)"', code))


def test_every_alert_that_is_named_exists_and_each_of_the_agents_is_named() -> None:
    alerts = {rule["alert"] for group in RULES for rule in group["rules"] if "alert" in rule}
    assert {name for name in alerts if name.startswith("Shipper")} == set(re.findall(r"`(Shipper\w+)`", PAGE))


def test_every_word_of_the_log_that_is_quoted_stands_in_the_code() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "shipper").rglob("*.py"))
    code = re.sub(r'"\s*\n\s*f?"', "", code)
    quoted = {words for row in ROWS for words in re.findall(r'"([^"]+)"', row[2])}
    assert len(quoted) > 15
    assert {words for words in quoted if words not in code} == set()
