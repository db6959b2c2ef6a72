"""deploy/mesh against the oldest and the newest Envoy: real clients and servers, and what the agent ships of them."""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import envoyfilter
from lab.envoy import NEWEST, OLDEST
from lab.trial import Trial
from lab.trials import TRIALS
from shipper.pipeline.failure import REASONS
from tests.deploy.audited import Audited, audit

MESH = Path(__file__).parent.parent.parent / "deploy" / "mesh"
VERSIONS = [OLDEST, NEWEST]

# The access-log fields of the original write-up; dashboards and queries rely on them.
ORIGINAL = {
    *("response_flags", "connection_termination_details", "downstream_remote_address", "downstream_local_address"),
    *("upstream_host", "requested_server_name", "downstream_tls_cipher", "downstream_tls_version"),
    *("downstream_peer_uri_san", "downstream_local_uri_san", "downstream_peer_subject"),
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Audited]:
    """All trials through the Envoy of a version, once."""
    return cache(lambda version: audit(tmp_path_factory.mktemp(f"envoy-{version}"), version))


# Real failures


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_what_happens_is_what_arrives(audited: Callable[[str], Audited], trial: Trial, version: str) -> None:
    came = audited(version)
    lines = came.ran.lines[trial.name]
    assert len(lines) == trial.expected_lines, lines
    reason = trial.reason_on(version)
    verdicts = came.verdicts(trial)
    if reason:
        assert set(verdicts) == {(reason, trial.side)}, lines
    else:
        assert verdicts == [], lines


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_else_arrives(audited: Callable[[str], Audited], version: str) -> None:
    came = audited(version)
    known = {line for lines in came.ran.lines.values() for line in lines}
    assert came.code == 0
    assert came.shipped.keys() <= known


def test_both_envoys_are_put_to_the_same_test_and_it_is_a_wide_one() -> None:
    failing = [trial for trial in TRIALS if trial.reason]
    assert len(failing) >= 20
    assert len({trial.name for trial in TRIALS}) == len(TRIALS)
    assert {trial.reason_on(version) for trial in failing for version in VERSIONS} == REASONS.keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_peer_is_named_and_dated(audited: Callable[[str], Audited], version: str) -> None:
    came = audited(version)
    for name in ("http: expired", "tcp: another root"):
        [line] = came.ran.lines[name]
        record = json.loads(line)
        assert record.keys() == envoyfilter.fields().keys()
        assert record["log"] == "mtls_failure"
        assert record["downstream_peer_uri_san"].startswith("spiffe://cluster.local/ns/")
        assert record["downstream_peer_cert_v_start"] < record["downstream_peer_cert_v_end"]


# The files


def test_the_fields_are_the_original_ones_and_more() -> None:
    fields = envoyfilter.fields()
    assert fields.keys() > ORIGINAL
    for name, operator in fields.items():
        assert operator in ("mtls_failure", f"%{name.upper()}%", "%ACCESS_LOG_TYPE%")


def test_every_log_of_the_envoyfilter_has_the_same_fields() -> None:
    for patch in envoyfilter.patches(envoyfilter.with_gateways()):
        value = patch["patch"]["value"]
        [log] = value.get("access_log") or value["typed_config"]["access_log"]
        assert log["typed_config"]["log_format"]["json_format"] == envoyfilter.fields()
        assert log["filter"]  # never every connection


def test_patches_append_to_the_logs_that_are_there() -> None:
    for patch in envoyfilter.patches():
        assert patch["patch"]["operation"] == "MERGE"


def test_gateways_are_left_alone_until_asked_for() -> None:
    contexts = [patch["match"]["context"] for patch in envoyfilter.patches()]
    assert contexts == ["SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "SIDECAR_OUTBOUND"]
    asked = [patch["match"]["context"] for patch in envoyfilter.patches(envoyfilter.with_gateways())]
    assert asked == [*contexts, "GATEWAY", "GATEWAY", "GATEWAY"]


def test_no_operator_is_younger_than_the_oldest_envoy() -> None:
    text = (MESH / "envoyfilter.yaml").read_text()
    assert not re.search(r"DETECTED_CLOSE_TYPE|LOCAL_CLOSE_REASON", text)  # 1.38: an older Envoy refuses the listener


@pytest.mark.parametrize(
    ("name", "kind", "api"),
    [
        ("envoyfilter.yaml", "EnvoyFilter", "networking.istio.io/v1alpha3"),
        ("telemetry.yaml", "Telemetry", "telemetry.istio.io/v1"),
    ],
)
def test_the_resources_are_for_the_whole_mesh(name: str, kind: str, api: str) -> None:
    [document] = yaml.safe_load_all((MESH / name).read_text())
    assert (document["kind"], document["apiVersion"]) == (kind, api)
    assert document["metadata"]["namespace"] == "istio-system"
    assert not {"workloadSelector", "selector", "targetRefs"} & document["spec"].keys()


def test_the_readme_tells_of_both_and_of_every_limit_that_was_measured() -> None:
    text = (MESH / "README.md").read_text()
    for word in ("envoyfilter.yaml", "telemetry.yaml", "Traffic Director", "TLS 1.3", "cert_verify_failed", "log_type"):
        assert word in text


# How patches are applied


@pytest.mark.parametrize(
    ("value", "patch", "merged"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [1, 2, 3]}),
        ({"a": {"b": [1], "c": 1}}, {"a": {"b": [2]}}, {"a": {"b": [1, 2], "c": 1}}),
    ],
)
def test_merge_is_protobufs(value: Any, patch: Any, merged: Any) -> None:
    assert envoyfilter.merge(value, patch) == merged


def test_merge_leaves_the_patch_alone() -> None:
    patch = {"a": [{"b": 1}]}
    envoyfilter.merge({}, patch)["a"][0]["b"] = 2
    assert patch == {"a": [{"b": 1}]}


@pytest.mark.parametrize(
    ("old", "new"), [("operation: MERGE", "operation: REPLACE"), ("applyTo: LISTENER", "applyTo: FILTER_CHAIN")]
)
def test_a_patch_that_is_not_understood_is_not_passed_over(old: str, new: str) -> None:
    text = envoyfilter.PATH.read_text().replace(old, new, 1)
    with pytest.raises(ValueError, match="known here"):
        envoyfilter.patched({"filter_chains": []}, "SIDECAR_INBOUND", text)
