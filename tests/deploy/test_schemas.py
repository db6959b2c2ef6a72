"""Every object that is brought to a cluster, held against the schemas of Kubernetes itself: a field it does not know,
a value of a wrong type.

Kinds that others define have no schema there; they are named, so that none slips through under a misspelt version.
"""

import copy
import re

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import all_versions

from tests.deploy.known import DEPLOY
from tests.deploy.rendered import CHOICES, Manifest, of_kind, render

README = (DEPLOY / "README.md").read_text()

VERSIONS = sorted({version.removesuffix(".0") for version in all_versions() if version >= "1.30"})

# Of Istio, of Prometheus' operator and of Google's.
FOREIGN = {
    ("networking.istio.io/v1", "DestinationRule"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
    ("security.istio.io/v1", "PeerAuthentication"),
    ("telemetry.istio.io/v1", "Telemetry"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("monitoring.googleapis.com/v1", "PodMonitoring"),
}
NOT_FOR_A_CLUSTER = {
    "kustomization.yaml",
    "state-on-the-node.yaml",
    "agents-ask.yaml",
    "alertmanager-slack.yaml",
    "loki/rules.yaml",
}


def manifests() -> list[Manifest]:
    """The files as they stand, and what kustomize makes of them; equal ones once. The chart has tests of its own."""
    files = [
        path
        for path in DEPLOY.rglob("*.yaml")
        if not str(path).endswith(tuple(NOT_FOR_A_CLUSTER)) and DEPLOY / "helm" not in path.parents
    ]
    found = [document for path in sorted(files) for document in yaml.safe_load_all(path.read_text())]
    for choice in CHOICES:
        found += [manifest for manifest in render(choice) if manifest not in found]
    return found


MANIFESTS = manifests()


def problem(manifest: Manifest, version: str) -> str | None:
    """What this version of Kubernetes has against it."""
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{manifest['kind']} {manifest['metadata']['name']}: {error.message}"
    return None


def is_foreign(manifest: Manifest) -> bool:
    return (manifest["apiVersion"], manifest["kind"]) in FOREIGN


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str) -> None:
    ours = [manifest for manifest in MANIFESTS if not is_foreign(manifest)]
    assert {manifest["kind"] for manifest in ours} >= {"DaemonSet", "ClusterRole", "NetworkPolicy", "Deployment"}
    assert [found for manifest in ours if (found := problem(manifest, version))] == []


def test_kinds_without_a_schema_are_those_of_others() -> None:
    assert {(manifest["apiVersion"], manifest["kind"]) for manifest in MANIFESTS if is_foreign(manifest)} == FOREIGN
    for manifest in filter(is_foreign, MANIFESTS):
        with pytest.raises(kubernetes_validate.SchemaNotFoundError):
            kubernetes_validate.validate(manifest, VERSIONS[-1], strict=True)


def test_a_slip_would_be_seen() -> None:
    slip = copy.deepcopy(of_kind(render(), "DaemonSet"))
    slip["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalations"] = False
    assert "allowPrivilegeEscalations" in str(problem(slip, VERSIONS[-1]))


def test_the_versions_are_those_the_readme_tells_of() -> None:
    told = re.findall(r"checked against the schemas of Kubernetes (\S+) to ([\d.]+\d)", README)
    assert told == [(VERSIONS[0], VERSIONS[-1])]
    assert len(VERSIONS) >= 8
