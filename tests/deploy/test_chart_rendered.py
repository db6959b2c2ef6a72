"""The chart in a dozen forms, rendered by Helm: each is valid, and says what the files of deploy/ say."""

import copy
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.helm import CHART, HelmRefused, helm
from release.manifests import MANIFEST, PLAIN, Plain
from release.manifests import rendered as plain_text
from shipper.config.file import parse
from tests.deploy.chart import VALUES, config_of, needs_helm, pod_of, rendered, rendered_from, values_file
from tests.deploy.known import DEPLOY
from tests.deploy.rendered import COMPONENTS, Manifest, of_kind, render
from tests.deploy.test_schemas import FOREIGN, VERSIONS, problem

pytestmark = needs_helm

# Those that the plain files have as well, and two that come with a choice.
KINDS_OF_OTHERS = FOREIGN | {("monitoring.coreos.com/v1", "PodMonitor"), ("monitoring.googleapis.com/v1", "Rules")}

_DIRECTORY = "mtls-shipper-directory.mtls-shipper-directory.svc"

FORMS = pytest.mark.parametrize("path", VALUES, ids=lambda path: path.name.removesuffix("-values.yaml"))


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}


# Equal to the plain manifests


@pytest.mark.parametrize("plain", PLAIN, ids=lambda plain: plain.path.name)
def test_a_manifest_is_what_helm_makes_of_the_chart(plain: Plain) -> None:
    assert plain_text(plain) == plain.path.read_text("utf-8")


def test_with_every_option_it_is_what_every_component_makes() -> None:
    ours = copy.deepcopy(by_name(rendered_from(values_file("without-helm"))))
    theirs = copy.deepcopy(by_name(render(COMPONENTS)))
    for name, kind in (("mtls-shipper", "DaemonSet"), ("mtls-shipper-directory", "Deployment")):
        config = ours["ConfigMap", f"{name}-1"] = ours.pop(("ConfigMap", f"{name}-7"))
        config["metadata"]["name"] = f"{name}-1"
        ours[kind, name]["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = f"{name}-1"
        for manifests in (ours, theirs):
            data = manifests["ConfigMap", f"{name}-1"]["data"]
            data["config.yaml"] = yaml.safe_load(data["config.yaml"])
            # kustomize puts what a patch adds at another place of the list
            pod = manifests[kind, name]["spec"]["template"]["spec"]
            for items in (pod["volumes"], pod["containers"][0].get("env", [])):
                items.sort(key=lambda item: item["name"])
    assert ours == theirs


def test_under_helm_only_names_labels_and_the_checksum_differ() -> None:
    ours, file = by_name(rendered()), by_name(list(yaml.safe_load_all(MANIFEST.read_text())))
    assert ours.keys() - file.keys() == {("ConfigMap", "mtls-shipper"), ("Pod", "mtls-shipper-test")}
    assert file.keys() - ours.keys() == {("ConfigMap", "mtls-shipper-1"), ("Namespace", "mtls-shipper")}
    assert yaml.safe_load(config_of(rendered())) == yaml.safe_load(config_of(list(file.values())))
    for name in ours.keys() & file.keys():
        assert set(_differences(ours[name], file[name])) <= {
            *("app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"),
            *("helm.sh/chart", "checksum/config", "configMap"),
        }, name


def _differences(ours: Any, theirs: Any, key: str = "") -> list[str]:
    """The keys at which two objects differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and key != "configMap":
        pairs = [(ours.get(each), theirs.get(each), each) for each in ours.keys() | theirs.keys()]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [(one, other, key) for one, other in zip(ours, theirs, strict=True)]
    else:
        return [] if ours == theirs else [key]
    return [difference for one, other, each in pairs for difference in _differences(one, other, each)]


# Valid in every form


@FORMS
def test_helm_finds_no_fault_with_it(path: Path) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), "--values", str(path))


@FORMS
def test_kubernetes_knows_every_field(path: Path) -> None:
    manifests = rendered_from(path)
    ours = [each for each in manifests if (each["apiVersion"], each["kind"]) not in KINDS_OF_OTHERS]
    ends = VERSIONS[0], VERSIONS[-1]
    found = [trouble for manifest in ours for version in ends if (trouble := problem(manifest, version))]
    assert found == []
    assert "DaemonSet" in {manifest["kind"] for manifest in ours}


@FORMS
def test_the_agent_takes_its_configuration(path: Path) -> None:
    manifests = rendered_from(path)
    environ = {each["name"]: each.get("value", "node-1") for each in pod_of(manifests)["containers"][0]["env"]}
    config = parse(config_of(manifests).encode(), "config.yaml", environ)
    (port,) = pod_of(manifests)["containers"][0]["ports"]
    assert port["containerPort"] == config.server.http_listen_port


@FORMS
def test_only_a_configuration_that_asks_the_api_has_a_right_and_a_token(path: Path) -> None:
    manifests = rendered_from(path)
    asks = bool(yaml.safe_load(config_of(manifests))["scrape_configs"][0].get("kubernetes"))
    kinds = {manifest["kind"] for manifest in manifests}
    assert pod_of(manifests)["automountServiceAccountToken"] is asks
    assert {"ClusterRole", "ClusterRoleBinding"} & kinds in ({"ClusterRole", "ClusterRoleBinding"}, set())
    assert asks or "ClusterRole" not in kinds


@FORMS
def test_names_that_are_referred_to_are_defined(path: Path) -> None:
    manifests = rendered_from(path)
    names = by_name(manifests)
    for pod in (each["spec"]["template"]["spec"] for each in manifests if each["kind"] in {"DaemonSet", "Deployment"}):
        assert ("ConfigMap", pod["volumes"][0]["configMap"]["name"]) in names
        account = pod["serviceAccountName"]
        assert ("ServiceAccount", account) in names or account in {"existing", "default"}


@FORMS
def test_selectors_find_the_pods_of_their_own_part_alone(path: Path) -> None:
    manifests = rendered_from(path)
    pods = {
        place(each): each["spec"]["template"]["metadata"]["labels"]
        for each in manifests
        if each["kind"] in {"DaemonSet", "Deployment"}
    }
    kinds = {
        "DaemonSet",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PodMonitoring",
        "PodMonitor",
        "Service",
    }
    for each in (each for each in manifests if each["kind"] in kinds):
        selector = each["spec"].get("selector") or each["spec"]["podSelector"]
        labels = selector.get("matchLabels", selector).items()
        assert [found for found in pods if labels <= pods[found].items()] == [place(each)], each["kind"]


def place(manifest: Manifest) -> tuple[str, str]:
    return manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def test_a_slip_is_refused_before_anything_is_installed() -> None:
    with pytest.raises(HelmRefused, match="batchwiat"):
        rendered("--set", "config.clients[0].url=http://loki/,config.clients[0].batchwiat=1s")
    with pytest.raises(HelmRefused, match="podAnnotation"):
        rendered("--set", "podAnnotation.a=b")


# What the options do


def test_a_change_of_the_configuration_rolls_the_pods_and_nothing_else_does() -> None:
    def checksum(*arguments: str) -> str:
        metadata = of_kind(rendered(*arguments), "DaemonSet")["spec"]["template"]["metadata"]
        return str(metadata["annotations"]["checksum/config"])

    assert checksum() == checksum("--set", "networkPolicy.enabled=false")
    assert checksum() != checksum("--set", "config.server.log_level=debug")


def test_an_image_may_be_named_by_its_digest() -> None:
    (container,) = pod_of(rendered_from(values_file("one-architecture")))["containers"]
    assert re.fullmatch(r"registry\.example\.com/mtls-shipper:[\d.]+@sha256:[0-9a-f]{64}", container["image"])


def test_the_agents_go_where_the_image_runs() -> None:
    def architectures(*arguments: str) -> Any:
        affinity = pod_of(rendered(*arguments))["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        (expression,) = term["matchExpressions"]
        assert expression["key"] == "kubernetes.io/arch"
        return expression["values"]

    assert architectures() == ["amd64", "arm64"]
    assert architectures("--set", "image.architectures={amd64}") == ["amd64"]


def test_the_logs_are_mounted_where_the_agent_looks_for_them() -> None:
    pod = pod_of(rendered_from(values_file("placed")))
    (mount,) = (mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "pod-logs")
    (volume,) = (volume for volume in pod["volumes"] if volume["name"] == "pod-logs")
    assert mount["mountPath"] == volume["hostPath"]["path"] == "/mnt/logs/pods"


def test_limits_of_the_state_on_the_node_are_those_of_the_log_alone() -> None:
    (container,) = pod_of(rendered_from(values_file("standard")))["containers"]
    assert container["resources"]["limits"]["ephemeral-storage"] == "64Mi"
    (container,) = pod_of(rendered_from(values_file("one-architecture")))["containers"]
    assert container["resources"]["limits"] == {"memory": "512Mi", "ephemeral-storage": "300Mi"}


@pytest.mark.parametrize(
    ("form", "file"),
    [("mesh", "envoyfilter"), ("mesh-inbound", "envoyfilter-inbound"), ("mesh-short", "envoyfilter-short"),
     ("mesh", "waypoint"), ("mesh-inbound", "telemetry")],
)  # fmt: skip
def test_the_mesh_is_told_what_the_files_say(form: str, file: str) -> None:
    (theirs,) = yaml.safe_load_all((DEPLOY / "mesh" / f"{file}.yaml").read_text())
    ours = by_name(rendered_from(values_file(form)))[theirs["kind"], theirs["metadata"]["name"]]
    assert ours["spec"] == theirs["spec"]
    assert ours["metadata"]["namespace"] == ("istio-config" if form == "mesh-inbound" else "istio-system")


@pytest.mark.parametrize(("form", "kind"), [("operator", "PrometheusRule"), ("autopilot", "Rules")])
def test_the_alerts_are_those_of_the_file(form: str, kind: str) -> None:
    file = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())
    assert of_kind(rendered_from(values_file(form)), kind)["spec"] == file["spec"]


def test_the_alerts_look_for_the_agents_where_they_are() -> None:
    arguments = ("--set", "monitoring.prometheusRule.enabled=true")
    moved = json.dumps(of_kind(rendered(*arguments, release="mesh", namespace="audit"), "PrometheusRule"))
    assert 'up{namespace=\\"audit\\"}' in moved
    assert 'daemonset=\\"mesh-mtls-shipper\\"' in moved
    assert 'up{namespace=\\"audit-directory\\"}' in moved
    assert '=\\"mtls-shipper' not in moved


def test_a_directory_with_a_certificate_is_probed_and_scraped_over_tls() -> None:
    manifests = rendered_from(values_file("directory"))
    (container,) = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    probes = [container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {probe["scheme"] for probe in probes} == {"HTTPS"}
    (monitor,) = (
        each for each in manifests if each["kind"] == "PodMonitor" and "directory" in each["metadata"]["name"]
    )
    assert monitor["spec"]["podMetricsEndpoints"][0]["scheme"] == "https"


def test_the_agents_ask_the_directory_of_the_release() -> None:
    arguments = ("--set", "directory.enabled=true,directory.config.server.http_listen_port=9181")
    manifests = rendered(*arguments, release="mesh", namespace="audit")
    environ = {each["name"]: each.get("value", "") for each in pod_of(manifests)["containers"][0]["env"]}
    (service,) = (each for each in manifests if each["kind"] == "Service")
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert environ["PEERS_URL"] == f"http://{host}:{service['spec']['ports'][0]['port']}"
    config = parse(config_of(manifests).encode(), "config.yaml", environ)
    assert config.scrape_configs[0].peers.url == environ["PEERS_URL"]
    assert "PEERS_URL" not in str(pod_of(rendered())["containers"][0]["env"])
    (container,) = pod_of(rendered_from(values_file("directory")))["containers"]
    assert {"name": "PEERS_URL", "value": f"https://{_DIRECTORY}:9080"} in container["env"]


def test_only_the_agents_of_the_release_may_ask_the_directory() -> None:
    manifests = rendered("--set", "directory.enabled=true", release="mesh", namespace="audit")
    (policy,) = (
        each for each in manifests if each["kind"] == "NetworkPolicy" and "directory" in each["metadata"]["name"]
    )
    (agents, scrapers) = policy["spec"]["ingress"]
    (peer,) = agents["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "audit"}
    labels = of_kind(manifests, "DaemonSet")["spec"]["template"]["metadata"]["labels"]
    assert peer["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["metadata"]["namespace"] == "audit-directory"
    assert "observability" not in str(scrapers)
    assert "observability" in str(rendered_from(values_file("directory")))


def test_the_dashboards_are_the_files() -> None:
    manifests = rendered_from(values_file("operator"))
    boards = [one for one in manifests if one["metadata"]["labels"].get("grafana_dashboard")]
    found = {name: text for board in boards for name, text in board["data"].items()}
    files = {path.name: path.read_text().strip() for path in (DEPLOY / "grafana").glob("*.json")}
    assert found == files
    assert all(board["metadata"]["namespace"] == "monitoring" for board in boards)


def test_two_releases_get_out_of_each_others_way() -> None:
    first, second = (by_name(rendered(release=release, namespace="audit")) for release in ("one", "two"))
    assert first.keys() & second.keys() == set()


def test_a_package_has_the_files_themselves(tmp_path: Path) -> None:
    helm("package", str(CHART), "--destination", str(tmp_path))
    (archive,) = tmp_path.iterdir()
    with tarfile.open(archive) as opened:
        members = {member.name.removeprefix("mtls-shipper/"): member for member in opened.getmembers()}
        assert all(member.isfile() for member in members.values())
    assert "files/mesh/envoyfilter.yaml" in members
    assert not [name for name in members if name.startswith("ci/") or name.endswith("README.md")]
    packed = helm("template", "mtls-shipper", str(archive), "--namespace", "mtls-shipper")
    assert list(yaml.safe_load_all(packed)) == rendered()
