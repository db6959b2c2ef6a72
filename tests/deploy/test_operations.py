"""docs/operations.md leads from every alert and every metric to an action, and tells of nothing that is not there."""

import re

import pytest

from tests.deploy.known import DEPLOY, agent_metrics, directory_metrics
from tests.deploy.rendered import of_kind, render
from tests.deploy.test_rules import ALERTS

ROOT = DEPLOY.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()
TABLES = PAGE.split("\n## Symptom, cause, action\n")[1].split("\n## ")[0]
ROWS = re.findall(r"^\| (?!Symptom)(.+?) \| (.+?) \| (.+?) \|$", TABLES, re.MULTILINE)
SYMPTOMS = " ".join(symptom for symptom, _, _ in ROWS)

SERIES = {re.sub(r"_(bucket|count|sum)$", "", name) for name in agent_metrics() | directory_metrics()}


@pytest.mark.parametrize("alert", sorted({rule["alert"] for rule in ALERTS}))
def test_every_alert_leads_to_an_action(alert: str) -> None:
    assert f"`{alert}`" in SYMPTOMS


@pytest.mark.parametrize("metric", sorted(SERIES))
def test_every_metric_leads_to_an_action(metric: str) -> None:
    assert f"`{metric}`" in SYMPTOMS


def test_no_row_is_without_cause_or_action() -> None:
    assert len(ROWS) == TABLES.count("\n| ") - TABLES.count("\n| Symptom ")
    assert all(cell.strip() for row in ROWS for cell in row)


def test_it_names_no_metric_and_no_alert_that_there_is_not() -> None:
    assert set(re.findall(r"\b(?:shipper|mtls)_[a-z_]+\b", PAGE)) <= SERIES
    alerts = set(re.findall(r"`((?:Shipper|Mtls)[A-Z]\w+)`", PAGE))
    assert alerts == {rule["alert"] for rule in ALERTS}


def test_chapters_it_points_to_exist() -> None:
    def anchors(text: str) -> set[str]:
        heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        return {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}

    links = re.findall(r"\]\(([^)]+)\)", PAGE)
    assert len(links) == PAGE.count("](")
    chapters = [link.partition("#")[::2] for link in links if "#" in link and "://" not in link]
    assert len(chapters) > 10
    for file, anchor in chapters:
        page = (ROOT / "docs" / file).read_text() if file else PAGE
        assert anchor in anchors(page), (file, anchor)


def test_the_numbers_of_sizing_are_those_of_the_manifest() -> None:
    pod = of_kind(render(), "DaemonSet")["spec"]["template"]["spec"]
    resources = pod["containers"][0]["resources"]
    sizing = PAGE.split("\n## Size it\n")[1].split("\n## ")[0]
    limits, requests = resources["limits"], resources["requests"]
    state = next(volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if "emptyDir" in volume)
    for size in (limits["memory"], requests["memory"], limits["ephemeral-storage"], state):
        assert size in sizing


def test_values_beside_a_metric_are_those_the_agent_sets() -> None:
    """`shipper_push_retries_total` with `connection`: the cause stands in the code, in these letters."""
    code = "".join(path.read_text() for path in (ROOT / "shipper").rglob("*.py"))
    beside = [text for symptom, _, _ in ROWS for text in re.findall(r"_total` with (.+)", symptom)]
    values = set(re.findall(r"`(\w+)`", " ".join(beside)))
    assert len(values) > 15
    for value in values:
        assert re.fullmatch(r"http_[2-5]\d\d", value) or f'"{value}"' in code, value
