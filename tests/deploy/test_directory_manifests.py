"""The component `directory`: its pieces fit each other, agents and command, and it may do no more than it needs.

With and without the token and the TLS that the README shows.
"""

import re
import shutil
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from shipper import server
from shipper.cli import _parser
from shipper.config import MIB, Config
from shipper.config.file import parse
from shipper.kubernetes.requests import NODES, PODS
from tests.deploy.known import DEPLOY
from tests.deploy.rendered import DIRECTORY, Manifest, build, containers, of_kind, parted, render

ALL = render(("directory", "directory/pod-monitoring"))
AGENTS, OBJECTS = parted(ALL)
DEPLOYMENT = of_kind(OBJECTS, "Deployment")
TEMPLATE: Manifest = DEPLOYMENT["spec"]["template"]
POD: Manifest = TEMPLATE["spec"]
(CONTAINER,) = containers(POD)
LABELS: dict[str, str] = TEMPLATE["metadata"]["labels"]
AGENT: Manifest = of_kind(AGENTS, "DaemonSet")["spec"]["template"]
POLICY: Manifest = of_kind(OBJECTS, "NetworkPolicy")["spec"]
README = (DEPLOY / "README.md").read_text()
CLUSTER_WIDE = {"Namespace", "ClusterRole", "ClusterRoleBinding"}


@pytest.fixture
def config() -> Config:
    """The embedded file as the directory reads it, with no environment: the container has none."""
    assert "env" not in CONTAINER
    return parse(of_kind(OBJECTS, "ConfigMap")["data"]["config.yaml"].encode(), "config.yaml", {})


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    """Whether a label selector takes these labels, as the API's documentation has it."""
    for one in selector.get("matchExpressions", ()):
        if one["operator"] != "In" or labels.get(one["key"]) not in one["values"]:
            return False
    wanted: dict[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


def let_in(namespace: str, labels: dict[str, str]) -> bool:
    """Whether the policy lets a pod of these labels in a namespace reach the port."""
    of_namespace = {"kubernetes.io/metadata.name": namespace}
    return any(
        selects(one["namespaceSelector"], of_namespace) and selects(one.get("podSelector", {}), labels)
        for rule in POLICY["ingress"]
        for one in rule["from"]
    )


# As a whole


def test_each_object_is_of_the_one_name_and_namespace() -> None:
    for manifest in OBJECTS:
        name = manifest["metadata"]["name"]
        assert re.fullmatch(rf"{DIRECTORY}(-[0-9]+)?", name)
        if manifest["kind"] not in CLUSTER_WIDE:
            assert manifest["metadata"]["namespace"] == DIRECTORY
    assert {manifest["kind"] for manifest in OBJECTS} == CLUSTER_WIDE | {
        "ServiceAccount", "ConfigMap", "Deployment", "PodDisruptionBudget", "Service", "NetworkPolicy", "PodMonitoring",
    }  # fmt: skip


def test_no_selector_of_the_agents_finds_the_directory_nor_the_other_way_round() -> None:
    theirs = of_kind(AGENTS, "DaemonSet")["spec"]["selector"]
    assert not selects(theirs, LABELS)
    assert not selects(DEPLOYMENT["spec"]["selector"], AGENT["metadata"]["labels"])


def test_its_selectors_find_its_pods() -> None:
    monitoring, budget = (of_kind(OBJECTS, kind)["spec"] for kind in ("PodMonitoring", "PodDisruptionBudget"))
    spread = [one["labelSelector"] for one in POD["topologySpreadConstraints"]]
    service = {"matchLabels": of_kind(OBJECTS, "Service")["spec"]["selector"]}
    selectors = [DEPLOYMENT["spec"]["selector"], budget["selector"], monitoring["selector"], POLICY["podSelector"]]
    for selector in (*selectors, *spread, service):
        assert selector["matchLabels"]
        assert selects(selector, LABELS)


def test_every_name_the_pod_refers_to_is_defined() -> None:
    assert POD["serviceAccountName"] == of_kind(OBJECTS, "ServiceAccount")["metadata"]["name"]
    (volume,) = POD["volumes"]
    assert volume["configMap"]["name"] == of_kind(OBJECTS, "ConfigMap")["metadata"]["name"]
    assert of_kind(OBJECTS, "ConfigMap")["immutable"] is True


def test_the_name_of_its_configuration_stands_in_two_places_and_no_other() -> None:
    name = of_kind(OBJECTS, "ConfigMap")["metadata"]["name"]
    places = re.findall(rf"^.*: {name}$", (DEPLOY / "directory" / "directory.yaml").read_text(), re.MULTILINE)
    assert [place.strip() for place in places] == [f"name: {name}"] * 2


def test_without_it_nothing_of_it_is_there() -> None:
    assert parted(render())[1] == []


# What it may do


def test_it_may_list_and_watch_what_it_asks_for_and_nothing_else() -> None:
    asked = sorted(resource.path.rpartition("/")[2] for resource in (PODS, NODES))
    (rule,) = of_kind(OBJECTS, "ClusterRole")["rules"]
    assert rule == {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": ["list", "watch"]}
    assert sorted(rule["resources"]) == asked


def test_the_right_is_its_own_alone() -> None:
    binding, account = of_kind(OBJECTS, "ClusterRoleBinding"), of_kind(OBJECTS, "ServiceAccount")["metadata"]
    group = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    assert binding["roleRef"] == {"name": of_kind(OBJECTS, "ClusterRole")["metadata"]["name"], **group}
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]
    assert of_kind(OBJECTS, "ServiceAccount")["automountServiceAccountToken"] is False
    assert POD["automountServiceAccountToken"] is True


def test_the_namespace_admits_restricted_pods_only_and_the_pod_is_one() -> None:
    """The level's rules: kubernetes.io/docs/concepts/security/pod-security-standards."""
    labels = of_kind(OBJECTS, "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    context, own = POD["securityContext"], CONTAINER["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers"} & POD.keys()
    assert all("hostPort" not in port for port in CONTAINER["ports"])
    assert [volume.keys() - {"name"} for volume in POD["volumes"]] == [{"configMap"}]


def test_it_runs_as_the_agent_does() -> None:
    assert POD["securityContext"] == AGENT["spec"]["securityContext"]
    assert POD["enableServiceLinks"] is AGENT["spec"]["enableServiceLinks"] is False
    assert POD["nodeSelector"] == AGENT["spec"]["nodeSelector"]


def test_nothing_of_it_can_be_written() -> None:
    assert all(mount["readOnly"] for mount in CONTAINER["volumeMounts"])


def test_the_mesh_does_not_take_it_in() -> None:
    assert LABELS["sidecar.istio.io/inject"] == "false"
    assert LABELS["istio.io/dataplane-mode"] == "none"


# Who reaches whom


def test_the_policy_lets_the_agents_and_the_scrapers_in_and_nobody_else() -> None:
    agents = of_kind(AGENTS, "DaemonSet")["metadata"]["namespace"]
    assert let_in(agents, AGENT["metadata"]["labels"])
    assert let_in("monitoring", {"app.kubernetes.io/name": "prometheus"})
    assert not let_in(agents, {"app.kubernetes.io/name": "debug"})
    assert not let_in("default", AGENT["metadata"]["labels"])
    assert not let_in("default", {})
    assert not let_in(DIRECTORY, LABELS)
    assert POLICY["policyTypes"] == ["Ingress", "Egress"]
    for rule in POLICY["ingress"]:
        assert rule["from"]  # without it: anyone
        assert rule["ports"] == [{"protocol": "TCP", "port": CONTAINER["ports"][0]["name"]}]


def test_it_reaches_dns_and_the_api_and_nothing_else() -> None:
    ports = {(port["protocol"], port["port"]) for rule in POLICY["egress"] for port in rule["ports"]}
    assert ports == {("UDP", 53), ("TCP", 53), ("TCP", 443), ("TCP", 6443)}


def test_the_agents_may_reach_it() -> None:
    """A policy of theirs that closes egress would have to name it."""
    assert of_kind(AGENTS, "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress"]


def as_read(agents: list[Manifest]) -> Config:
    """The agents' configuration, with the environment of their container; of what a field gives, any value."""
    (agent,) = containers(of_kind(agents, "DaemonSet")["spec"]["template"]["spec"])
    environ = {one["name"]: one.get("value", "node-1") for one in agent["env"]}
    return parse(of_kind(agents, "ConfigMap")["data"]["config.yaml"].encode(), "config.yaml", environ)


def test_the_agents_ask_its_service_and_without_it_nobody() -> None:
    service = of_kind(OBJECTS, "Service")
    (port,) = service["spec"]["ports"]
    host = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    (scrape,), (without,) = as_read(AGENTS).scrape_configs, as_read(render()).scrape_configs
    assert scrape.peers.url == f"http://{host}:{port['port']}"
    assert without.peers.url == ""
    assert of_kind(AGENTS, "ConfigMap") == of_kind(render(), "ConfigMap")


def test_a_line_waits_longer_than_the_directory_takes(config: Config) -> None:
    (scrape,) = as_read(AGENTS).scrape_configs
    assert scrape.peers.timeout > config.directory.wait


# The command


def test_the_directory_reads_the_file_that_is_mounted() -> None:
    (name,), (mount,) = of_kind(OBJECTS, "ConfigMap")["data"], CONTAINER["volumeMounts"]
    options = _parser().parse_args(CONTAINER["args"])
    assert options.command == "directory"
    assert options.config == f"{mount['mountPath']}/{name}"


def test_image_and_version_are_the_agents() -> None:
    (agent,) = containers(AGENT["spec"])
    assert CONTAINER["image"] == agent["image"]
    assert f"image: {agent['image']}\n" in (DEPLOY / "directory" / "directory.yaml").read_text()


def test_ports_agree(config: Config) -> None:
    (port,) = CONTAINER["ports"]
    (service,) = of_kind(OBJECTS, "Service")["spec"]["ports"]
    annotations = TEMPLATE["metadata"]["annotations"]
    assert config.server.http_listen_address == "0.0.0.0"
    assert config.server.http_listen_port == port["containerPort"] == service["port"]
    assert service["targetPort"] == port["name"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    assert annotations["prometheus.io/path"] == "/metrics"
    (endpoint,) = of_kind(OBJECTS, "PodMonitoring")["spec"]["endpoints"]
    assert endpoint == {"port": port["name"], "path": "/metrics", "interval": "30s"}


def test_what_the_configuration_writes_out_are_the_defaults(config: Config) -> None:
    assert config.directory == Config().directory


def test_probes_ask_for_what_the_server_has() -> None:
    probes = {name: CONTAINER[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in probes.values()} == {CONTAINER["ports"][0]["name"]}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/ready",
    }
    code = server.__loader__.get_source(server.__name__)  # type: ignore[union-attr]
    assert all(f'"{probe["path"]}"' in code for probe in probes.values())


# How many, how big


def test_a_drain_and_a_rollout_always_leave_one_that_knows() -> None:
    assert DEPLOYMENT["spec"]["replicas"] == 2
    budget = of_kind(OBJECTS, "PodDisruptionBudget")["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    strategy = DEPLOYMENT["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_they_are_apart_where_the_cluster_can() -> None:
    keys = [one["topologyKey"] for one in POD["topologySpreadConstraints"]]
    assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert {one["whenUnsatisfiable"] for one in POD["topologySpreadConstraints"]} == {"ScheduleAnyway"}


def test_it_goes_on_answering_until_it_is_known_to_go() -> None:
    assert CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"] < POD["terminationGracePeriodSeconds"]


def test_memory_holds_what_it_is_said_to_hold(config: Config) -> None:
    """The comment's sum, with the configuration's own numbers."""
    sizes: dict[str, Any] = CONTAINER["resources"]
    requested, limit = (int(sizes[kind]["memory"].removesuffix("Mi")) for kind in ("requests", "limits"))
    kibibytes = 60 * 1024 + 0.9 * 100_000 + 0.4 * config.directory.max_ended
    assert kibibytes * 1024 <= requested * MIB
    assert limit >= 2 * requested
    container_log = 5 * 10  # MiB: the kubelet's containerLogMaxFiles x containerLogMaxSize
    assert int(sizes["requests"]["ephemeral-storage"].removesuffix("Mi")) >= container_log
    assert sizes["limits"]["ephemeral-storage"] == sizes["requests"]["ephemeral-storage"]
    assert "cpu" not in sizes["limits"]


# Token and TLS, as the README shows them


@pytest.fixture
def secured(tmp_path: Path) -> Manifest:
    """The Deployment with the README's patch."""
    (patch,) = re.findall(r"```yaml\n(apiVersion: apps/v1\nkind: Deployment.+?)```", README, re.DOTALL)
    (tmp_path / "patch.yaml").write_text(patch)
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    own = {"resources": ["deploy"], "components": ["deploy/directory"], "patches": [{"path": "patch.yaml"}]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(own))
    return of_kind(build(tmp_path), "Deployment")


def test_the_shown_settings_are_those_there_are_and_below_the_mount(secured: Manifest) -> None:
    (text,) = re.findall(r"```yaml\n(directory:\n.+?)```", README, re.DOTALL)
    shown = parse(text.encode(), "README.md", {}).directory
    (mount,) = (one for one in secured["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
                if one["name"] == "secret")  # fmt: skip
    assert mount["readOnly"] is True
    for file in (shown.bearer_token_file, shown.cert_file, shown.key_file):
        assert str(Path(file).parent) == mount["mountPath"]


def test_the_shown_patch_is_the_same_pod_that_speaks_tls(secured: Manifest) -> None:
    kubernetes_validate.validate(secured, "1.37", strict=True)
    (container,) = containers(secured["spec"]["template"]["spec"])
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[name]["httpGet"] == CONTAINER[name]["httpGet"] | {"scheme": "HTTPS"}
    assert secured["spec"]["template"]["spec"]["securityContext"] == POD["securityContext"] | {"fsGroup": 10001}
