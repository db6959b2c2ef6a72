"""The alert rules: each can fire, names nothing that does not exist, and says what to do.

The Alertmanager's example is read by amtool where it is installed, LogQL by a Loki where LOKI_URL names one. When the
alerts fire is tested beside this.
"""

import json
import os
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from typing import Any

import pytest
import yaml

from shipper.config import PEER_LABELS, Config
from shipper.pipeline.failure import REASONS
from shipper.pipeline.result import TEXT_FORMAT
from shipper.sink.answers.status import judge
from shipper.sink.local import Nowhere
from shipper.who import Reason
from shipper.who.holder import UNKNOWN
from tests.deploy.known import DEPLOY, TARGET, metrics, stream_labels
from tests.deploy.queries import Query, logql, promql
from tests.deploy.rendered import DIRECTORY

Document = dict[str, Any]


def manifest(kind: str) -> Document:
    documents = yaml.safe_load_all((DEPLOY / "daemonset.yaml").read_text())
    return next(document for document in documents if document["kind"] == kind)


README = (DEPLOY / "grafana" / "README.md").read_text()
LOKI: Document = yaml.safe_load((DEPLOY / "loki" / "rules.yaml").read_text())
PROMETHEUS: Document = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())
ALERTMANAGER: Document = yaml.safe_load((DEPLOY / "prometheus" / "alertmanager-slack.yaml").read_text())

LOKI_RULES = [rule for group in LOKI["groups"] for rule in group["rules"]]
PROMETHEUS_RULES = [rule for group in PROMETHEUS["spec"]["groups"] for rule in group["rules"]]
RECORDED = [rule for rule in PROMETHEUS_RULES if "record" in rule]
ALERTS = [rule for rule in LOKI_RULES + PROMETHEUS_RULES if "alert" in rule]


# Of the logs' rules and the counters', the first of both.
NAMES_THE_PEER = [
    "MtlsCertificatesExpired",
    "MtlsCertificatesExpired",
    "MtlsSourceWithoutIdentityNew",
    "MtlsWorkloadNew",
]


def named(rules: list[Document]) -> list[Any]:
    return [pytest.param(rule, id=rule.get("alert") or rule["record"]) for rule in rules]


def taken_apart(rule: Document) -> Query:
    return logql(rule["expr"]) if rule in LOKI_RULES else promql(rule["expr"])


def prometheus_metrics() -> dict[str, set[str]]:
    """The agent's, others', and those the rules record."""
    return metrics() | {rule["record"]: promql(rule["expr"]).grouped for rule in RECORDED}


# What every alert has


@pytest.mark.parametrize("rule", named(ALERTS))
def test_an_alert_says_how_bad_what_and_what_to_do(rule: Document) -> None:
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"].values())


@pytest.mark.parametrize("rule", named(ALERTS))
def test_the_runbook_has_a_chapter_for_the_alert(rule: Document) -> None:
    assert rule["annotations"]["runbook_url"] == f"deploy/grafana/README.md#{rule['alert'].lower()}"
    assert f"\n### {rule['alert']}\n" in README


def test_the_runbook_has_no_chapter_without_an_alert() -> None:
    assert set(re.findall(r"^### (\w+)$", README, re.MULTILINE)) == {rule["alert"] for rule in ALERTS}


@pytest.mark.parametrize("rule", named(ALERTS))
def test_annotations_use_only_labels_that_the_expression_leaves(rule: Document) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    query = taken_apart(rule)
    assert used <= (query.grouped or TARGET)


def test_alerts_of_the_logs_and_the_counters_can_be_told_apart() -> None:
    for rules, origin in ((LOKI_RULES, "logs"), (PROMETHEUS_RULES, "counters")):
        about_failures = [rule for rule in rules if rule.get("alert", "").startswith("Mtls")]
        assert about_failures
        assert all(rule["labels"]["origin"] == origin for rule in about_failures)


# What they ask for


@pytest.mark.parametrize("rule", named(LOKI_RULES))
def test_logql_names_our_job_and_the_labels_of_our_streams(rule: Document) -> None:
    query = logql(rule["expr"])
    assert query.selectors
    assert query.grouped <= stream_labels()
    for selector in query.selectors:
        assert selector.keys() <= stream_labels()
        assert selector["job"] == ("=", Config().scrape_configs[0].job_name)


@pytest.mark.parametrize("rule", named(PROMETHEUS_RULES))
def test_promql_names_what_the_agent_exposes(rule: Document) -> None:
    query, exist = promql(rule["expr"]), prometheus_metrics()
    assert query.metrics
    assert query.metrics <= exist.keys()
    for metric, labels in query.matched.items():
        assert labels <= exist[metric] | TARGET
    there = set().union(*(exist[metric] for metric in query.metrics))
    assert query.grouped <= there | query.made | TARGET


def selectors() -> list[dict[str, tuple[str, str]]]:
    return [selector for rule in LOKI_RULES + PROMETHEUS_RULES for selector in taken_apart(rule).selectors]


def test_values_that_are_matched_are_those_the_agent_sets() -> None:
    """A misspelt value never matches, and the alert that asks for it sleeps for ever."""
    found = {(label, value) for selector in selectors() for label, (_, value) in selector.items()}
    reasons = {value for label, value in found if label == "failure_reason"} - {".+"}
    assert reasons == {"cert_expired"}
    assert reasons <= REASONS.keys()
    texts = " ".join(rule["expr"] for rule in LOKI_RULES)
    assert set(re.findall(r'failure_reason!="(\w+)"', texts)) == {"upstream_timeout"} <= REASONS.keys()
    about = {part for label, value in found if label == "reason" for part in value.split("|")}
    assert about == {Nowhere.REASON, TEXT_FORMAT, Reason.NEVER_SEEN, Reason.NOT_AN_ADDRESS}
    assert {value for label, value in found if label == "kind"} == {UNKNOWN.kind}


def test_namespace_and_name_are_those_of_the_manifest() -> None:
    metadata = manifest("DaemonSet")["metadata"]
    found = {(label, value) for selector in selectors() for label, (_, value) in selector.items()}
    assert {value for label, value in found if label == "namespace"} == {metadata["namespace"], DIRECTORY}
    assert {value for label, value in found if label == "daemonset"} == {metadata["name"]}
    assert PROMETHEUS["metadata"]["namespace"] == metadata["namespace"]


@pytest.mark.parametrize(
    ("status", "waits_for_someone"),
    [(260, True), (302, True), (400, True), (401, True), (403, True), (404, True), (407, True), (451, True)]
    + [(status, False) for status in (408, 413, 425, 429, 500, 502, 503, 504)],
)
def test_refusals_that_time_does_not_heal(status: int, waits_for_someone: bool) -> None:
    (rule,) = (rule for rule in ALERTS if rule["alert"] == "ShipperRefused")
    trouble = judge(status, "")
    assert trouble
    wanted, other = re.findall(r'cause[=!]~"(.+?)"', rule["expr"])
    matches = re.fullmatch(wanted, trouble.cause) and not re.fullmatch(other, trouble.cause)
    assert bool(matches) == waits_for_someone


def test_baselines_count_on_the_interval_of_their_group() -> None:
    """A day has 1440 evaluations of the recorded metric, and 288 times five minutes."""
    (group,) = (group for group in PROMETHEUS["spec"]["groups"] if any("record" in rule for rule in group["rules"]))
    assert group["interval"] == "1m"
    assert [len(re.findall(r"\[1d\].+\) / 1440\b", rule["expr"])) for rule in ALERTS if "/ 1440" in rule["expr"]] == [1]
    assert [len(re.findall(r"\[1d\].+\) / 288\b", rule["expr"])) for rule in ALERTS if "/ 288" in rule["expr"]] == [1]


@pytest.mark.parametrize("rule", named([one for one in ALERTS if one["alert"] in NAMES_THE_PEER]))
def test_an_alert_says_who_the_other_end_was_where_that_is_known(rule: Document) -> None:
    """And nothing of it where it is not: a peer without a name leaves no empty brackets and no slash."""
    assert set(PEER_LABELS) <= taken_apart(rule).grouped
    texts = " ".join(rule["annotations"].values())
    (named_only,) = re.findall(r"\{\{ if \$labels\.peer_app \}\}(.+?)\{\{ (?:else|end) \}\}", texts, re.DOTALL)
    assert '{{ or $labels.peer_namespace "?" }}/{{ $labels.peer_app }}' in named_only
    assert "peer_" not in texts.replace(named_only, "").replace("{{ if $labels.peer_app }}", "")


def test_both_kinds_of_rules_name_the_peer() -> None:
    found = [rule["alert"] for rule in ALERTS if "peer_app" in str(rule["annotations"])]
    assert sorted(found) == sorted(NAMES_THE_PEER)


# Around the rules


def test_the_pod_monitor_of_the_readme_finds_the_agents() -> None:
    (monitor,) = map(yaml.safe_load, re.findall(r"```yaml\n(.+?)```", README, re.DOTALL))
    template = manifest("DaemonSet")["spec"]["template"]
    assert monitor["metadata"]["namespace"] == manifest("DaemonSet")["metadata"]["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    ports = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
    assert endpoint["port"] in ports


def alert_name(matchers: list[str]) -> re.Pattern[str]:
    (pattern,) = (found[1] for one in matchers if (found := re.fullmatch(r'alertname=~?"(.+)"', one)))
    return re.compile(pattern)


def test_every_alert_but_information_reaches_someone() -> None:
    routes = ALERTMANAGER["route"]["routes"]
    for rule in ALERTS:
        reached = [route["receiver"] for route in routes if alert_name(route["matchers"]).fullmatch(rule["alert"])]
        assert len(reached) == 1, rule["alert"]
    receivers = {receiver["name"] for receiver in ALERTMANAGER["receivers"]}
    assert {ALERTMANAGER["route"]["receiver"], *(route["receiver"] for route in routes)} == receivers


def test_an_alert_that_silences_another_exists_as_that_does() -> None:
    alerts = {rule["alert"] for rule in ALERTS}
    for inhibition in ALERTMANAGER["inhibit_rules"]:
        source, target = (alert_name(inhibition[f"{side}_matchers"]).pattern for side in ("source", "target"))
        assert {source, target} <= alerts
        assert source != target
        (quiet,) = (rule for rule in ALERTS if rule["alert"] == target)
        assert set(inhibition["equal"]) <= taken_apart(quiet).grouped


def test_a_name_made_by_a_client_is_no_command_to_slack() -> None:
    """A SAN may hold `<!channel>`; every annotation that may hold a SAN goes through the filter."""
    for receiver in ALERTMANAGER["receivers"]:
        for slack in receiver.get("slack_configs", []):
            texts = slack["text"] + slack["title"] + slack["fallback"]
            shown = re.findall(r"\{\{([^{}]*Annotations\.(?:summary|description)[^{}]*)\}\}", texts)
            assert len(shown) == 2
            assert all('reReplaceAll "[<>&`]" "?"' in one for one in shown)
            assert "CommonAnnotations" not in texts
            assert "text" not in slack["mrkdwn_in"]
            assert slack["mrkdwn_in"]  # an empty list means the default, which has it


# Asked of the real ones


@pytest.mark.skipif(
    not shutil.which("amtool"), reason="amtool is missing; Debian: apt-get install prometheus-alertmanager"
)
def test_alertmanager_takes_the_example() -> None:
    file = DEPLOY / "prometheus" / "alertmanager-slack.yaml"
    done = subprocess.run(["amtool", "check-config", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif("LOKI_URL" not in os.environ, reason="LOKI_URL names no Loki, such as http://127.0.0.1:3100")
@pytest.mark.parametrize("rule", named(LOKI_RULES))
def test_loki_reads_every_expression(rule: Document) -> None:
    url = f"{os.environ['LOKI_URL']}/loki/api/v1/query?{urllib.parse.urlencode({'query': rule['expr']})}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert json.load(answer)["status"] == "success"
