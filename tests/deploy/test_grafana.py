"""The dashboards: they follow Grafana's conventions, and name nothing that does not exist.

No Grafana is asked. Their PromQL is read by promtool where it is installed, their LogQL by a Loki where LOKI_URL names
one.
"""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipper.config.sections import LABELS, MTLS_LABELS, PEER_LABELS
from shipper.fields import PEER_FIELDS
from shipper.pipeline.ztunnel import parse_ztunnel_line
from tests.deploy.known import DEPLOY, FAILURES, TARGET, agent_metrics, metrics, stream_labels
from tests.deploy.queries import logql, promql, tokens

FILES = ("mtls-failures.json", "agent-health.json")
# The access log's keys that a dashboard may pick: those of the corpora, which real Envoys and ztunnels wrote.
CORPORA = [Path(__file__).parents[1] / "corpus" / f"{name}.jsonl" for name in ("envoy", "ztunnel")]
BUILT_IN = {"__range", "__interval", "__rate_interval", "__all"}
DATASOURCES = {
    "prometheus": {"type": "prometheus", "uid": "${datasource}"},
    "loki": {"type": "loki", "uid": "${loki_datasource}"},
}

Board = dict[str, Any]


@pytest.fixture(params=FILES)
def board(request: pytest.FixtureRequest) -> Board:
    return load(request.param)


def load(name: str) -> Board:
    found: Board = json.loads((DEPLOY / "grafana" / name).read_text())
    return found


def variables(board: Board) -> dict[str, Board]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def targets(board: Board, kind: str = "") -> list[tuple[str, Board]]:
    """Panel title and query, of one kind of data source or of all."""
    found = [(panel["title"], target) for panel in board["panels"] for target in panel.get("targets", [])]
    return [(title, target) for title, target in found if kind in ("", target["datasource"]["type"])]


def all_expressions(kind: str) -> list[Any]:
    return [
        pytest.param(target, id=f"{title} {target['refId']}")
        for name in FILES
        for title, target in targets(load(name), kind)
    ]


def values(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from values(value)
    elif isinstance(node, list):
        for one in node:
            yield from values(one)


def without_variables(expression: str) -> str:
    """As Grafana would send it, with everything selected."""
    for name, value in {"__rate_interval": "5m", "__interval": "5m", "__range": "1h", "search": "", "job": "j"}.items():
        expression = expression.replace(f"${name}", value)
    return re.sub(r"\$\w+", ".*", expression)


# Conventions


def test_provisioned_as_it_is(board: Board) -> None:
    """Nothing that only the import dialogue understands, and no number of another Grafana's database."""
    assert not {"__inputs", "__requires", "__elements", "id", "iteration"} & board.keys()
    assert board["schemaVersion"] >= 36
    assert board["timezone"] == "utc"
    assert board["title"]
    assert "mtls" in board["tags"]


def test_uids_are_stable_and_differ() -> None:
    assert [load(name)["uid"] for name in FILES] == ["mtls-failures", "mtls-agent-health"]


def test_links_lead_to_the_other_dashboard(board: Board) -> None:
    others = {f"/d/{load(name)['uid']}" for name in FILES} - {f"/d/{board['uid']}"}
    assert {link["url"] for link in board["links"]} == others


def test_panel_ids_are_unique_and_titles_are_set(board: Board) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["title"] for panel in board["panels"])


def test_panels_lie_side_by_side_not_on_each_other(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert all(x < 24 for x, _ in cells), panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


def test_ref_ids_are_unique_in_a_panel(board: Board) -> None:
    for panel in board["panels"]:
        ids = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(ids)) == len(ids), panel["title"]


def test_data_comes_only_from_the_variables(board: Board) -> None:
    found = [value for key, value in values(board) if key == "datasource"]
    assert found
    assert all(value in DATASOURCES.values() for value in found)
    kinds = {variable["name"]: variable["query"] for variable in board["templating"]["list"] if "refresh" in variable}
    for wanted in {value["type"] for value in found}:
        assert kinds[DATASOURCES[wanted]["uid"][2:-1]] == wanted


def test_every_variable_that_is_used_is_declared_and_the_other_way_round(board: Board) -> None:
    declared = set(variables(board))
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(board))) - BUILT_IN
    assert used == declared


# What is asked


@pytest.mark.parametrize("target", all_expressions("prometheus"))
def test_promql_names_what_the_agent_exposes(target: Board) -> None:
    query, exist = promql(target["expr"]), metrics()
    assert query.metrics
    assert query.metrics <= exist.keys()
    for metric, labels in query.matched.items():
        assert labels <= exist[metric] | TARGET
    there = set().union(*(exist[metric] for metric in query.metrics))
    assert query.grouped <= there | TARGET
    assert legend_labels(target) <= query.grouped


@pytest.mark.parametrize("target", all_expressions("loki"))
def test_logql_names_the_labels_of_our_streams(target: Board) -> None:
    query = logql(target["expr"])
    assert query.selectors
    for selector in query.selectors:
        assert selector.keys() <= stream_labels()
        assert selector["job"] == ("=", "$job")  # Loki wants one matcher that an empty value does not match
    assert query.used <= stream_labels() | query.made
    assert query.grouped <= stream_labels() | query.made
    assert legend_labels(target) <= query.grouped


def legend_labels(target: Board) -> set[str]:
    return set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))


def lines_of(corpus: Path) -> list[str]:
    return [json.loads(line)["line"] for line in corpus.read_text().splitlines()]


def test_keys_of_the_line_are_those_the_proxies_write() -> None:
    written = {
        key for corpus in CORPORA for line in lines_of(corpus) if line.startswith("{") for key in json.loads(line)
    }
    for _, target in targets(load("mtls-failures.json"), "loki"):
        assert logql(target["expr"]).keys <= written


def test_ztunnels_text_is_read_as_the_agent_reads_it() -> None:
    """Its strings are quoted, so a name that a peer has made cannot pass for an address; no other log looks like it."""
    expressions = [target["expr"] for _, target in targets(load("mtls-failures.json"), "loki")]
    [pattern] = {one for expr in expressions for one in re.findall(r"regexp `([^`]*ztext_[^`]*)`", expr)}
    envoy, ztunnel = (lines_of(corpus) for corpus in CORPORA)
    failed = [
        (line, parse_ztunnel_line(line.encode())) for line in ztunnel if "\taccess\t" in line and " error=" in line
    ]
    assert len(failed) > 40
    for line, fields in failed:
        found = re.search(pattern, line)
        assert found, line
        assert fields
        assert found["ztext_peer"] == fields["src.addr"]
        assert found["ztext_server"] == fields["dst.addr"]
        assert (found["ztext_host"], found["ztext_source"]) == (
            fields.get("dst.hbone_addr"),
            fields.get("src.identity"),
        )
        assert found["ztext_service"] == fields.get("dst.service")
    assert not [line for line in envoy if re.search(pattern, line)]


def test_filters_of_the_failures_are_one_for_each_label() -> None:
    found = variables(load("mtls-failures.json"))
    for label in (*LABELS, *MTLS_LABELS, *PEER_LABELS):
        assert found[label]["query"]["label"] == label
        assert found[label]["multi"]
        # A line without the label is among all of them: `keep: ut` sets no failure_reason, a client may have no SAN.
        assert found[label]["includeAll"]
        assert re.fullmatch(found[label]["allValue"], "") is not None


@pytest.mark.parametrize("target", all_expressions("loki"))
def test_filters_apply_to_every_panel_of_the_failures(target: Board) -> None:
    for selector in logql(target["expr"]).selectors:
        assert selector.keys() == {"job", *LABELS, *MTLS_LABELS, *PEER_LABELS}
    assert "|= `$search`" in target["expr"]


def test_health_shows_every_metric_the_agent_has() -> None:
    shown = {metric for _, target in targets(load("agent-health.json")) for metric in promql(target["expr"]).metrics}
    hidden = {name for name in FAILURES | agent_metrics() if name not in shown}
    assert hidden == {"shipper_push_duration_seconds_sum"}


def test_the_counter_of_failures_has_the_labels_it_promises() -> None:
    for name, labels in FAILURES.items():
        assert metrics()[name] == labels


def test_columns_of_the_tables_are_labels_of_their_queries() -> None:
    (panel,) = (panel for panel in load("mtls-failures.json")["panels"] if panel["title"] == "Recent failures")
    names = next(t["options"]["include"]["names"] for t in panel["transformations"] if t["id"] == "filterFieldsByName")
    query = logql(panel["targets"][0]["expr"])
    assert set(names) <= {"Time"} | query.made | stream_labels() | set(PEER_FIELDS)  # which may be metadata
    (order,) = (t["options"] for t in panel["transformations"] if t["id"] == "organize")
    assert set(order["renameByName"]) <= set(names)


@pytest.mark.parametrize("title", ["Sources", "Top source and destination pairs", "First and last seen, by source"])
def test_a_source_is_named_by_its_certificate_then_by_its_workload_then_by_its_address(title: str) -> None:
    for _, target in (found for found in targets(load("mtls-failures.json")) if found[0] == title):
        source, destination = re.findall(r"label_format source=`(.+?)`, destination=`(.+?)`", target["expr"])[0]
        names = ("{ .peer_san }", "{ .source_san }", "{ .had }", " .peer ", " .text_peer ", " .z_peer ")
        places = [source.index(name) for name in names]
        assert places == sorted(places)
        assert destination.index(".upstream_cluster") < destination.index(".had") < destination.index(".upstream_host")


@pytest.mark.parametrize(
    "broken",
    ["sum(rate(a[5m])", 'a{b="c"', "a[5 m]", 'a{b="c}', "sum(a]", "a ; b"],
)
def test_an_expression_that_is_broken_is_seen(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        tokens(broken)


@pytest.mark.parametrize("broken", ['{a="b"} | jsn', '{a="b"} | label_format a=b', '{a~"b"}', '{a="b"} | x > 3'])
def test_a_pipeline_that_is_broken_is_seen(broken: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        logql(broken)


# Asked of the real ones


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is missing; Debian: apt-get install prometheus")
def test_promtool_reads_every_promql_expression(tmp_path: Path) -> None:
    expressions = [target["expr"] for name in FILES for _, target in targets(load(name), "prometheus")]
    rules = [{"record": f"panel_{at}", "expr": without_variables(expr)} for at, expr in enumerate(expressions)]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif("LOKI_URL" not in os.environ, reason="LOKI_URL names no Loki, such as http://127.0.0.1:3100")
@pytest.mark.parametrize("target", all_expressions("loki"))
def test_loki_reads_every_logql_expression(target: Board) -> None:
    asked = {"query": without_variables(target["expr"]), "limit": "1"}
    kind = "query" if target["queryType"] == "instant" else "query_range"
    if kind == "query_range":
        asked |= {"start": str(int(time.time()) - 60), "end": str(int(time.time())), "step": "60"}
    url = f"{os.environ['LOKI_URL']}/loki/api/v1/{kind}?{urllib.parse.urlencode(asked)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert json.load(answer)["status"] == "success"
