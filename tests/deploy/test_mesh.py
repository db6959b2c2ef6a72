"""deploy/mesh against the oldest and the newest Envoy: real clients and servers, and what the agent ships of them."""

import copy
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
from lab.envoy_json import Json
from lab.outbound_config import cluster_name
from lab.outbound_trials import OUTCOMES
from lab.trial import Trial
from lab.trials import TRIALS
from shipper.pipeline.failure import REASONS
from tests.deploy.audited import Audited, audit
from tests.deploy.rendered import build

MESH = Path(__file__).parent.parent.parent / "deploy" / "mesh"
VERSIONS = [OLDEST, NEWEST]
FORMS = {path.stem: path.read_text() for path in (envoyfilter.PATH, envoyfilter.SHORT, envoyfilter.INBOUND)}
SHORT, INBOUND = FORMS["envoyfilter-short"], FORMS["envoyfilter-inbound"]
README = (MESH / "README.md").read_text()

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
    verdicts = came.verdicts(trial.name)
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


def outbound_lines(came: Audited, form: str = "") -> dict[str, list[Json]]:
    """By upstream: what the outbound logs of the EnvoyFilter wrote, over HTTP and over TCP."""
    return {
        upstream: [
            json.loads(line) for chain in ("http", "tcp") for line in came.ran.lines[f"out, {chain}{form}: {upstream}"]
        ]
        for upstream in OUTCOMES
    }


@pytest.mark.parametrize("form", ["", " short"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_called_service_is_named_as_istio_names_its_cluster(
    audited: Callable[[str], Audited], version: str, form: str
) -> None:
    for upstream, lines in outbound_lines(audited(version), form).items():
        assert {line["upstream_cluster"] for line in lines} <= {cluster_name(upstream)}  # and not `…;`


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_short_form_leaves_out_is_null_on_every_outbound_line(
    audited: Callable[[str], Audited], version: str
) -> None:
    full, short = (
        [line for lines in outbound_lines(audited(version), form).values() for line in lines] for form in ("", " short")
    )
    left_out = envoyfilter.fields().keys() - envoyfilter.fields(SHORT, "SIDECAR_OUTBOUND").keys()
    assert len(left_out) == 12
    assert len(full) == len(short) >= 20
    for line in full:
        assert {line[name] for name in left_out} == {None}
    for line in short:
        assert line.keys() == envoyfilter.fields().keys() - left_out


# The files


def test_the_fields_are_the_original_ones_and_more() -> None:
    fields = envoyfilter.fields()
    assert fields.keys() > ORIGINAL
    others = {"log": "mtls_failure", "log_type": "%ACCESS_LOG_TYPE%", "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%"}
    assert fields == {name: f"%{name.upper()}%" for name in fields} | others


def test_every_log_of_the_envoyfilter_has_the_same_fields() -> None:
    for patch in envoyfilter.patches(envoyfilter.with_gateways()):
        log = envoyfilter.access_log(patch)
        assert log["typed_config"]["log_format"]["json_format"] == envoyfilter.fields()
        assert log["filter"]  # never every connection


def parts(text: str) -> list[tuple[envoyfilter.Context, Json]]:
    """Context and content of every patch, those for gateways as well."""
    return [(patch["match"]["context"], patch) for patch in envoyfilter.patches(envoyfilter.with_gateways(text))]


def without_fields(patch: Json) -> Json:
    """The patch with none of its log's fields."""
    patch = copy.deepcopy(patch)
    envoyfilter.access_log(patch)["typed_config"]["log_format"]["json_format"] = {}
    return patch


def test_the_forms_replace_each_other() -> None:
    names = {name: yaml.safe_load(text)["metadata"] for name, text in FORMS.items()}
    assert len(names) == 3
    assert [one for one in names.values() if one != {"name": "mtls-failure-log", "namespace": "istio-system"}] == []


def test_the_short_form_is_the_full_one_with_fewer_outbound_fields() -> None:
    full, short = parts(FORMS["envoyfilter"]), parts(SHORT)
    assert [(context, without_fields(patch)) for context, patch in short] == [
        (context, without_fields(patch)) for context, patch in full
    ]
    outbound = envoyfilter.fields(SHORT, "SIDECAR_OUTBOUND")
    assert outbound.items() < envoyfilter.fields().items()
    for _, patch in short:
        listener = patch["applyTo"] == "LISTENER"
        found = envoyfilter.access_log(patch)["typed_config"]["log_format"]["json_format"]
        assert found == (envoyfilter.fields() if listener else outbound)


def test_the_inbound_form_is_the_inbound_half_of_the_full_one() -> None:
    assert parts(INBOUND) == [
        (where, one) for where, one in parts(FORMS["envoyfilter"]) if one["applyTo"] == "LISTENER"
    ]


@pytest.mark.parametrize("name", FORMS)
def test_a_proxy_is_given_only_what_its_envoy_is_known_to_take(name: str) -> None:
    """One operator that an Envoy does not know costs it every later update of the listener."""
    for context, patch in parts(FORMS[name]):
        given = {istio for istio in PROXIES if envoyfilter.reaches(patch, context, istio)}
        assert given == {istio for istio, tested in PROXIES.items() if tested}


# What the proxies of a release report. Their Envoys: 1.28 has 1.36, the oldest that is tested.
PROXIES = {
    **dict.fromkeys((envoyfilter.OLDEST_ISTIO, "1.28.0", "1.28.3-asm.1", "1.29.2", "1.30.0-rc.1", "1.40.1"), True),
    **dict.fromkeys((envoyfilter.NEWEST_ISTIO, "1.32-alpha.0123456789abcdef"), True),
    **dict.fromkeys(("1.27.9", "1.18.2", "1.9.8", "1.3.0", "1.2.28", "0.1.28", "", "unknown"), False),
}


def test_the_price_is_told_and_is_that_of_these_files() -> None:
    """The README's kilobytes, measured with istiod, are in the ratio of the logs as they are here."""
    rows = re.findall(r"^\| `?([\w-]+)(?:\.yaml`)? \| [^|]*\| ([\d,]+) kB", README, re.MULTILINE)
    told = {name: int(size.replace(",", "")) for name, size in rows}
    assert told == {"none": 154, "envoyfilter": 1247, "envoyfilter-short": 877, "envoyfilter-inbound": 156}
    full, short = (
        sum(
            len(json.dumps(envoyfilter.access_log(one)))
            for context, one in parts(text)
            if context == "SIDECAR_OUTBOUND"
        )
        for text in (FORMS["envoyfilter"], SHORT)
    )
    ratio = (told["envoyfilter-short"] - told["none"]) / (told["envoyfilter"] - told["none"])
    assert short / full == pytest.approx(ratio, abs=0.05)


def test_patches_append_to_the_logs_that_are_there() -> None:
    for patch in envoyfilter.patches():
        assert patch["patch"]["operation"] == "MERGE"


def test_gateways_are_left_alone_until_asked_for() -> None:
    contexts = [patch["match"]["context"] for patch in envoyfilter.patches()]
    assert contexts == ["SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "SIDECAR_OUTBOUND"]
    asked = [patch["match"]["context"] for patch in envoyfilter.patches(envoyfilter.with_gateways())]
    assert asked == [*contexts, "GATEWAY", "GATEWAY", "GATEWAY"]


def test_no_operator_is_younger_than_the_oldest_envoy() -> None:
    for text in FORMS.values():
        assert not re.search(
            r"DETECTED_CLOSE_TYPE|LOCAL_CLOSE_REASON", text
        )  # 1.38: an older Envoy refuses the listener


@pytest.mark.parametrize(
    ("name", "kind", "api"),
    [
        *((f"{name}.yaml", "EnvoyFilter", "networking.istio.io/v1alpha3") for name in FORMS),
        ("telemetry.yaml", "Telemetry", "telemetry.istio.io/v1"),
    ],
)
def test_the_resources_are_for_the_whole_mesh(name: str, kind: str, api: str) -> None:
    [document] = yaml.safe_load_all((MESH / name).read_text())
    assert (document["kind"], document["apiVersion"]) == (kind, api)
    assert document["metadata"]["namespace"] == "istio-system"
    assert not {"workloadSelector", "selector", "targetRefs"} & document["spec"].keys()


def test_kubectl_reads_the_files_as_they_are_read_here(tmp_path: Path) -> None:
    """Anchors and all, also those of the patches that are comments."""
    for name, text in FORMS.items():
        directory = tmp_path / name
        directory.mkdir()
        (directory / "kustomization.yaml").write_text("resources: [envoyfilter.yaml]\n")
        (directory / "envoyfilter.yaml").write_text(envoyfilter.with_gateways(text))
        [manifest] = build(directory)
        assert manifest["spec"]["configPatches"] == [patch for _, patch in parts(text)]


def test_the_readmes_commands_name_files_that_are_there() -> None:
    named = re.findall(r"kubectl (?:apply|delete) -f (\S+)", README)
    assert len(named) >= 3
    for name in named:
        assert (MESH.parents[1] / name).is_file()


def test_the_readme_tells_of_every_file_and_of_every_limit_that_was_measured() -> None:
    for path in MESH.glob("*.yaml"):
        assert path.name in README
    for word in ("Traffic Director", "TLS 1.3", "cert_verify_failed", "log_type", "proxyVersion"):
        assert word in README
    assert "1.28.10 to 1.32-dev" in " ".join(README.split())


@pytest.mark.parametrize(
    "name",
    [
        *("README.md", "docs/configuration.md", "docs/failure-reasons.md", "docs/operations.md"),
        *("deploy/mesh/README.md", "deploy/mesh/envoyfilter.yaml", "deploy/grafana/README.md"),
    ],
)
def test_where_ut_is_explained_it_says_that_a_route_needs_a_timeout(name: str) -> None:
    """Istio's own routes have `timeout: 0s`, so a reader who keeps `ut` would wait in vain for a line."""
    text = " ".join((MESH.parents[1] / name).read_text().replace("#", "").split())
    said = "(routes have no timeout|`timeout: 0s`)"
    assert re.search(f"{said}[^.]*VirtualService|VirtualService[^.]*{said}", text)


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
    ("old", "new"),
    [
        ("operation: MERGE", "operation: REPLACE"),
        ("applyTo: LISTENER", "applyTo: FILTER_CHAIN"),
        ("proxyVersion: &tested", "metadata: &tested"),
    ],
)
def test_a_patch_that_is_not_understood_is_not_passed_over(old: str, new: str) -> None:
    text = envoyfilter.PATH.read_text().replace(old, new, 1)
    with pytest.raises(ValueError, match="known here"):
        envoyfilter.patched({"filter_chains": []}, "SIDECAR_INBOUND", text)
