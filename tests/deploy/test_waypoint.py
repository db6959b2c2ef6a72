"""deploy/mesh/waypoint.yaml against the oldest and the newest Envoy: real tunnels, and what the agent ships of them.

istiod is not asked: the patches are applied by its rule to listeners built as it builds them.
"""

import asyncio
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from lab import envoyfilter, waypoint_trials
from lab.envoy import NEWEST, OLDEST
from lab.waypoint import MAIN, ORIGINATE, TERMINATE
from lab.waypoint_trials import TUNNELS, Tunnel
from tests.deploy.audited import Audited, shipped
from tests.deploy.rendered import build

VERSIONS = [OLDEST, NEWEST]
TEXT = envoyfilter.WAYPOINT.read_text()
PATCHES = envoyfilter.patches(TEXT)
OURS = {patch["match"]["context"]: envoyfilter.access_log(patch) for patch in envoyfilter.patches()}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Audited]:
    """All tunnels through the Envoy of a version, once."""

    async def audit(version: str) -> Audited:
        directory = tmp_path_factory.mktemp(f"waypoint-{version}")
        return await shipped(await waypoint_trials.run(directory, version), directory)

    return cache(lambda version: asyncio.run(audit(version)))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tunnel", TUNNELS, ids=lambda tunnel: tunnel.name)
def test_what_happens_is_what_arrives(audited: Callable[[str], Audited], tunnel: Tunnel, version: str) -> None:
    came = audited(version)
    reason = tunnel.reason_on(version)
    assert came.verdicts(tunnel.name) == ([(reason, tunnel.side)] if reason else [])
    assert len(came.ran.lines[tunnel.name]) == bool(reason)  # and no line is thrown away


@pytest.mark.parametrize("version", VERSIONS)
def test_a_failed_tunnel_says_where_it_led(audited: Callable[[str], Audited], version: str) -> None:
    [line] = audited(version).ran.lines["to expired"]
    record = json.loads(line)
    assert record["upstream_host"].startswith("127.0.0.1:")
    assert record["upstream_cluster"] == ORIGINATE
    assert "UF" in record["response_flags"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_client_is_named(audited: Callable[[str], Audited], version: str) -> None:
    [line] = audited(version).ran.lines["expired"]
    assert json.loads(line)["downstream_peer_uri_san"] == "spiffe://cluster.local/ns/analytics/sa/reporting"


def test_the_logs_are_those_of_the_envoyfilter() -> None:
    """Fields, filters and all: two files cannot share an anchor, so this holds them together."""
    inbound, outbound = PATCHES
    assert envoyfilter.access_log(inbound) == OURS["SIDECAR_INBOUND"]
    assert envoyfilter.access_log(outbound) == OURS["SIDECAR_OUTBOUND"]


def test_each_patch_names_a_listener_and_none_is_for_the_one_between() -> None:
    assert [patch["match"]["listener"]["name"] for patch in PATCHES] == [TERMINATE, ORIGINATE]
    between = {"name": MAIN, "filter_chains": []}
    assert envoyfilter.patched(between, "SIDECAR_INBOUND", TEXT) == between


def test_a_proxy_is_given_only_what_its_envoy_is_known_to_take() -> None:
    theirs = {patch["match"]["proxy"]["proxyVersion"] for patch in envoyfilter.patches()}
    assert {patch["match"]["proxy"]["proxyVersion"] for patch in PATCHES} == theirs
    assert {patch["match"]["context"] for patch in PATCHES} == {"SIDECAR_INBOUND"}
    assert {patch["patch"]["operation"] for patch in PATCHES} == {"MERGE"}


def test_it_is_for_every_waypoint_and_stands_beside_the_other_filter() -> None:
    [document] = yaml.safe_load_all(TEXT)
    assert (document["kind"], document["apiVersion"]) == ("EnvoyFilter", "networking.istio.io/v1alpha3")
    assert document["metadata"] == {"name": "mtls-failure-log-waypoint", "namespace": "istio-system"}
    gateway_class = {"group": "gateway.networking.k8s.io", "kind": "GatewayClass", "name": "istio-waypoint"}
    assert document["spec"]["targetRefs"] == [gateway_class]
    assert not {"workloadSelector", "selector"} & document["spec"].keys()


def test_kubectl_reads_the_file_as_it_is_read_here(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [waypoint.yaml]\n")
    (tmp_path / "waypoint.yaml").write_text(TEXT)
    [manifest] = build(tmp_path)
    assert manifest["spec"]["configPatches"] == PATCHES
