"""The manifest and the image, held against each other and against what the agent really does.

What a schema cannot know: that the pieces fit, and that no right creeps in. Schemas and components are tested beside
this.
"""

import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import shipper
from shipper import __version__, server
from shipper.config import MIB, Config
from shipper.config.file import parse
from shipper.lifecycle import DRAIN
from shipper.tap.access import is_loopback

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
README = (ROOT / "deploy" / "README.md").read_text()

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def manifests() -> dict[str, Manifest]:
    """The documents of the file by kind; there is one of each."""
    documents = list(yaml.safe_load_all((ROOT / "deploy" / "daemonset.yaml").read_text()))
    by_kind = {document["kind"]: document for document in documents}
    assert len(by_kind) == len(documents)
    return by_kind


@pytest.fixture
def pod(manifests: dict[str, Manifest]) -> Manifest:
    spec: Manifest = manifests["DaemonSet"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def container(pod: Manifest) -> Manifest:
    containers: list[Manifest] = pod["containers"]
    (container,) = containers
    return container


@pytest.fixture
def config(manifests: dict[str, Manifest], container: Manifest) -> Config:
    """The embedded file as the agent reads it, with no more environment than the container has."""
    environ = {variable["name"]: "node-1" for variable in container["env"]}
    text = manifests["ConfigMap"]["data"]["config.yaml"]
    return parse(text.encode(), "config.yaml", environ)


def mounts(container: Manifest) -> dict[str, Manifest]:
    return {mount["name"]: mount for mount in container["volumeMounts"]}


def volumes(pod: Manifest) -> dict[str, Manifest]:
    return {volume["name"]: volume for volume in pod["volumes"]}


def mebibytes(quantity: str) -> int:
    """`192Mi` -> 192; the manifest uses no other unit."""
    assert quantity.endswith("Mi"), quantity
    return int(quantity.removesuffix("Mi"))


def instructions(name: str) -> list[str]:
    """The arguments of every such instruction of the Dockerfile, one line each."""
    return re.findall(rf"^{name} +(.+)$", DOCKERFILE, re.MULTILINE)


# The manifest as a whole


def test_every_object_of_a_namespace_is_in_the_one_the_file_makes(manifests: dict[str, Manifest]) -> None:
    namespace = manifests["Namespace"]["metadata"]["name"]
    cluster_wide = {"Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding"}
    assert next(iter(manifests)) == "Namespace"  # applied in the file's order
    for kind, manifest in manifests.items():
        if kind not in cluster_wide:
            assert manifest["metadata"]["namespace"] == namespace, kind


def test_the_namespace_admits_the_host_path(manifests: dict[str, Manifest]) -> None:
    assert manifests["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


def test_selectors_find_the_pods(manifests: dict[str, Manifest]) -> None:
    spec = manifests["DaemonSet"]["spec"]
    labels = spec["template"]["metadata"]["labels"].items()
    assert spec["selector"]["matchLabels"].items() <= labels
    assert manifests["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"].items() <= labels


def test_every_name_the_pod_refers_to_is_defined(manifests: dict[str, Manifest], pod: Manifest) -> None:
    assert pod["serviceAccountName"] == manifests["ServiceAccount"]["metadata"]["name"]
    assert pod["priorityClassName"] == manifests["PriorityClass"]["metadata"]["name"]
    assert volumes(pod)["config"]["configMap"]["name"] == manifests["ConfigMap"]["metadata"]["name"]


def test_annotations_and_labels_are_strings(manifests: dict[str, Manifest]) -> None:
    template = manifests["DaemonSet"]["spec"]["template"]
    for metadata in [template["metadata"], *(manifest["metadata"] for manifest in manifests.values())]:
        for value in {**metadata.get("labels", {}), **metadata.get("annotations", {})}.values():
            assert isinstance(value, str), value


# What the agent may do


def test_it_may_read_pods_and_nothing_else(manifests: dict[str, Manifest]) -> None:
    assert manifests["ClusterRole"]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    assert not {"Role", "RoleBinding"} & manifests.keys()


def test_the_right_is_the_agents_alone(manifests: dict[str, Manifest]) -> None:
    binding, account = manifests["ClusterRoleBinding"], manifests["ServiceAccount"]["metadata"]
    role = manifests["ClusterRole"]
    assert binding["roleRef"]["kind"] == "ClusterRole"
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert role["apiVersion"].startswith(binding["roleRef"]["apiGroup"])
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]


def test_only_the_agents_pod_is_given_a_token(manifests: dict[str, Manifest], pod: Manifest) -> None:
    assert manifests["ServiceAccount"]["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is True


def test_it_asks_for_pods_of_its_own_node(config: Config, container: Manifest) -> None:
    assert config.scrape_configs[0].kubernetes is True
    assert container["env"] == [
        {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "NODE_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
    ]


def test_it_runs_as_nobody_of_the_group_that_owns_the_logs(pod: Manifest) -> None:
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 0,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_the_container_has_no_capability_and_gains_none(container: Manifest) -> None:
    assert container["securityContext"] == {
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_nothing_of_the_host_but_its_pod_logs_and_those_read_only(pod: Manifest, container: Manifest) -> None:
    host_paths = {name: volume["hostPath"] for name, volume in volumes(pod).items() if "hostPath" in volume}
    assert host_paths == {"pod-logs": {"path": "/var/log/pods", "type": "Directory"}}
    assert mounts(container)["pod-logs"]["readOnly"] is True
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & pod.keys()
    assert all("hostPort" not in port for port in container["ports"])


def test_only_the_state_volume_can_be_written(container: Manifest) -> None:
    writable = [name for name, mount in mounts(container).items() if not mount.get("readOnly")]
    assert writable == ["state"]


def test_the_mesh_does_not_take_the_agent_in(manifests: dict[str, Manifest]) -> None:
    labels = manifests["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    assert labels["sidecar.istio.io/inject"] == "false"
    assert labels["istio.io/dataplane-mode"] == "none"


def test_only_the_http_port_is_open(manifests: dict[str, Manifest], container: Manifest) -> None:
    policy = manifests["NetworkPolicy"]["spec"]
    (port,) = container["ports"]
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["ingress"] == [{"ports": [{"protocol": "TCP", "port": port["name"]}]}]


# Where and how it runs


def test_every_linux_node_has_one(pod: Manifest) -> None:
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["nodeSelector"] == {"kubernetes.io/os": "linux"}


def test_an_update_leaves_most_nodes_alone(manifests: dict[str, Manifest]) -> None:
    strategy = manifests["DaemonSet"]["spec"]["updateStrategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}


def test_the_kubelet_waits_longer_than_the_agent_drains(pod: Manifest) -> None:
    assert pod["terminationGracePeriodSeconds"] >= 2 * DRAIN


def test_memory_holds_the_interpreter_and_what_is_in_flight(config: Config, container: Manifest) -> None:
    interpreter = 64  # MiB: CPython, aiohttp and the agent's own tables, rounded up
    requested = mebibytes(container["resources"]["requests"]["memory"])
    assert requested * MIB >= interpreter * MIB + config.limits_config.max_in_flight_bytes
    assert mebibytes(container["resources"]["limits"]["memory"]) >= requested


def test_autopilot_leaves_the_resources_as_they_are(pod: Manifest, container: Manifest) -> None:
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    assert requests.keys() == {"cpu", "memory", "ephemeral-storage"}
    assert limits["ephemeral-storage"] == requests["ephemeral-storage"]
    container_log = 5 * 10  # MiB: the kubelet's containerLogMaxFiles x containerLogMaxSize
    state = mebibytes(volumes(pod)["state"]["emptyDir"]["sizeLimit"])
    assert mebibytes(requests["ephemeral-storage"]) >= state + container_log


# The agent's own settings


def test_the_configuration_keeps_what_was_asked_for(config: Config) -> None:
    (scrape,) = config.scrape_configs
    assert scrape.keep == "ut"
    assert scrape.job_name == "kubernetes-pods-istio-proxy"
    assert list(scrape.pod_logs.containers) == ["istio-proxy"]
    assert float(config.positions.look_back) == 3600


def test_the_configuration_names_loki_and_the_cluster(config: Config) -> None:
    (client,) = config.clients
    assert client.url.endswith("/loki/api/v1/push")
    assert client.external_labels.keys() == {"cluster"}


def test_the_configuration_fits_the_pod(config: Config, pod: Manifest, container: Manifest) -> None:
    (port,) = container["ports"]
    (scrape,) = config.scrape_configs
    assert config.server.http_listen_address == "0.0.0.0"
    assert config.server.http_listen_port == port["containerPort"]
    assert str(Path(config.positions.filename).parent) == mounts(container)["state"]["mountPath"]
    assert scrape.pod_logs.root == mounts(container)["pod-logs"]["mountPath"]


def test_the_agent_reads_the_file_that_is_mounted(manifests: dict[str, Manifest], container: Manifest) -> None:
    (name,) = manifests["ConfigMap"]["data"]
    assert container["args"] == ["run", "--config.file", f"{mounts(container)['config']['mountPath']}/{name}"]


def test_no_log_line_is_shown_to_whoever_reaches_the_port(config: Config) -> None:
    assert not config.server.show_lines
    assert not is_loopback(config.server.http_listen_address)


def test_probes_ask_the_agent_itself(container: Manifest) -> None:
    (port,) = container["ports"]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert probes["startupProbe"]["path"] == probes["livenessProbe"]["path"] == "/healthz"
    assert probes["readinessProbe"]["path"] == "/ready"


def test_prometheus_is_sent_to_the_http_port(manifests: dict[str, Manifest], container: Manifest) -> None:
    annotations = manifests["DaemonSet"]["spec"]["template"]["metadata"]["annotations"]
    (port,) = container["ports"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/port"] == str(port["containerPort"])
    assert annotations["prometheus.io/path"] == "/metrics"


@pytest.mark.parametrize("path", ["/healthz", "/ready", "/metrics"])
def test_the_server_has_every_path_it_is_asked_for(path: str) -> None:
    assert f'"{path}"' in Path(server.__file__).read_text()


# The image


def test_the_image_is_the_version_of_the_package(container: Manifest) -> None:
    assert container["image"].rpartition(":")[2] == __version__
    assert f"VERSION={__version__}" in instructions("ARG")
    assert f"/mtls-shipper:{__version__}" in README


def test_the_image_runs_as_the_user_the_manifest_demands(pod: Manifest) -> None:
    context = pod["securityContext"]
    assert instructions("USER") == [f"{context['runAsUser']}:{context['runAsGroup']}"]


def test_the_image_starts_the_command_as_process_one(container: Manifest) -> None:
    (entrypoint,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert json.loads(entrypoint) == ["shipper"]  # a JSON list: no shell that would keep SIGTERM to itself
    assert json.loads(command) == container["args"]


def test_the_image_takes_nothing_without_a_hash() -> None:
    commands = re.split(r"&&|\n", DOCKERFILE.replace("\\\n", " "))
    installs = [command for command in commands if re.search(r"\bpip\b.* install ", command)]
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command, command


def test_the_image_writes_bytecode_that_no_file_time_can_void() -> None:
    """And over what is there: pip leaves some of the other kind."""
    compilations = re.findall(r"-m compileall (.+?)(?: \\)?$", DOCKERFILE, re.MULTILINE)
    assert len(compilations) == 2
    for arguments in compilations:
        assert arguments.startswith("-q -f --invalidation-mode unchecked-hash "), arguments


def test_the_image_loads_every_module_once_while_it_is_built() -> None:
    """So that none of them, and nothing they need, can be missing at run time."""
    imports = " ".join(re.findall(r"import ((?:sys|shipper\.)[^;]+);", DOCKERFILE))
    assert imports.startswith("sys, shipper.cli")
    program = f"import {', '.join(re.split('[ ,]+', imports))}; print(*(name for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    there = {module.name for module in pkgutil.walk_packages(shipper.__path__, "shipper.")}
    assert there - set(loaded) == {
        "shipper.__main__",
        *("shipper.config.docs", "shipper.explain.docs", "shipper.report.docs"),
    }


def test_the_image_is_given_all_it_copies() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        source.strip("/")
        for arguments in instructions("COPY")
        if not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)
