"""The kustomization: what each component changes, and that it changes nothing else.

Rendered by a real kubectl; the mode of the directory is set by the real command, without the rights it is not given.
"""

import copy
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy.known import DEPLOY
from tests.deploy.rendered import CHOICES, COMPONENTS, Manifest, build, choose, containers, of_kind, parted, render

README = (DEPLOY / "README.md").read_text()
FILE = list(yaml.safe_load_all((DEPLOY / "daemonset.yaml").read_text()))


def pod(manifests: list[Manifest]) -> Manifest:
    spec: Manifest = of_kind(manifests, "DaemonSet")["spec"]["template"]["spec"]
    return spec


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """In no order."""
    found = {named(manifest): manifest for manifest in manifests}
    assert len(found) == len(manifests)
    return found


def named(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def test_without_a_component_it_is_the_file() -> None:
    assert by_name(render()) == by_name(FILE)


def test_every_component_there_is_can_be_chosen() -> None:
    components = {str(path.parent.relative_to(DEPLOY)) for path in DEPLOY.glob("*/**/kustomization.yaml")}
    assert components == set(COMPONENTS)
    for name in components:
        assert yaml.safe_load((DEPLOY / name / "kustomization.yaml").read_text())["kind"] == "Component"


@pytest.mark.parametrize("choice", CHOICES, ids=" and ".join)
def test_every_choice_is_complete(choice: tuple[str, ...]) -> None:
    kinds = {"PodMonitoring"} if "pod-monitoring" in choice else set()
    agents, directory = parted(render(choice))
    assert {manifest["kind"] for manifest in agents} == {manifest["kind"] for manifest in FILE} | kinds
    assert ("initContainers" in pod(agents)) == ("standard" in choice)
    assert bool(directory) == ("directory" in choice)
    scraped = any(manifest["kind"] == "PodMonitoring" for manifest in directory)
    assert scraped == ("directory/pod-monitoring" in choice)


# The configuration


def test_a_configuration_cannot_change_under_its_name() -> None:
    config = of_kind(FILE, "ConfigMap")
    assert config["immutable"] is True
    assert re.fullmatch(rf"{of_kind(FILE, 'DaemonSet')['metadata']['name']}-[0-9]+", config["metadata"]["name"])


def test_its_name_stands_in_two_places_and_no_other() -> None:
    name = of_kind(FILE, "ConfigMap")["metadata"]["name"]
    places = re.findall(rf"^.*: {name}$", (DEPLOY / "daemonset.yaml").read_text(), re.MULTILINE)
    assert [place.strip() for place in places] == [f"name: {name}"] * 2
    assert f"`{name}`" in README


# Positions on the node


def test_standard_moves_the_state_to_the_node_and_changes_nothing_else() -> None:
    expected = copy.deepcopy(by_name(render()))
    spec = pod(list(expected.values()))
    (agent,) = spec["containers"]
    for kind in ("requests", "limits"):
        agent["resources"][kind]["ephemeral-storage"] = "64Mi"
    spec["initContainers"] = pod(render(("standard",)))["initContainers"]
    on_the_node = {"name": "state", "hostPath": {"path": "/var/lib/mtls-shipper", "type": "DirectoryOrCreate"}}
    spec["volumes"] = [on_the_node if volume["name"] == "state" else volume for volume in spec["volumes"]]
    found = copy.deepcopy(by_name(render(("standard",))))
    for one in (spec, pod(list(found.values()))):
        one["volumes"].sort(key=lambda volume: volume["name"])
    assert found == expected


def test_root_owns_the_directory_and_can_do_nothing_more() -> None:
    (init,) = pod(render(("standard",)))["initContainers"]
    assert init["securityContext"] == {
        "runAsUser": 0,
        "runAsNonRoot": False,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    (agent,) = pod(render(("standard",)))["containers"]
    (state,) = (mount for mount in agent["volumeMounts"] if mount["name"] == "state")
    assert init["volumeMounts"] == [state]
    assert init["command"] == ["chmod", "0770", state["mountPath"]]


def test_without_the_state_the_containers_own_log_still_has_room() -> None:
    *_, agent = containers(pod(render(("standard",))))
    container_log = 5 * 10  # MiB: the kubelet's containerLogMaxFiles x containerLogMaxSize
    for kind in ("requests", "limits"):
        assert int(agent["resources"][kind]["ephemeral-storage"].removesuffix("Mi")) >= container_log


def test_setting_the_mode_makes_the_pod_no_bigger() -> None:
    init, agent = containers(pod(render(("standard",))))
    assert init["resources"].keys() == agent["resources"].keys()
    for kind, sizes in init["resources"].items():
        for name, size in sizes.items():
            number, of_agent = (int(re.sub(r"\D", "", one)) for one in (size, agent["resources"][kind][name]))
            assert number <= of_agent


def test_both_containers_are_of_one_image(tmp_path: Path) -> None:
    deploy = shutil.copytree(DEPLOY, tmp_path / "deploy")
    file = deploy / "daemonset.yaml"
    file.write_text(re.sub(r"image: \S+", "image: my.registry/agent:7", file.read_text()))
    choose(deploy, ("standard",))
    assert [one["image"] for one in containers(pod(build(deploy)))] == ["my.registry/agent:7"] * 2


needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, and setpriv (Debian: util-linux)"
)


def run_as(context: Manifest, command: list[str], directory: Path) -> int:
    """The command as a container of this context would run it, in the directory."""
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["allowPrivilegeEscalation"] is False
    rights = ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs", "--clear-groups"]
    ids = [f"--reuid={context['runAsUser']}", f"--regid={context['runAsGroup']}"]
    return subprocess.run(["setpriv", *ids, *rights, *command], cwd=directory, capture_output=True).returncode


@needs_root
def test_the_agent_can_write_where_root_without_a_capability_has_set_the_mode(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)  # as the kubelet makes it
    state.chmod(0o755)
    spec = pod(render(("standard",)))
    init, agent = (spec["securityContext"] | one["securityContext"] for one in containers(spec))
    write = ["sh", "-c", "echo >positions.json"]
    command = ["." if word == "/var/lib/shipper" else word for word in spec["initContainers"][0]["command"]]
    assert run_as(agent, write, state) != 0
    assert run_as(agent, command, state) != 0
    assert run_as(init, command, state) == 0
    assert run_as(agent, write, state) == 0
    assert (state / "positions.json").stat().st_uid == agent["runAsUser"]


# Google Cloud Managed Service for Prometheus


def test_pod_monitoring_adds_one_object_and_changes_nothing() -> None:
    found = by_name(render(("pod-monitoring",)))
    del found["PodMonitoring", "mtls-shipper"]
    assert found == by_name(render())


def test_pod_monitoring_scrapes_the_agents() -> None:
    """Its schema is Google's: these are all of its fields that are used, and what they have to be."""
    found = of_kind(render(("pod-monitoring",)), "PodMonitoring")
    daemonset = of_kind(render(), "DaemonSet")
    template = daemonset["spec"]["template"]
    assert found["apiVersion"] == "monitoring.googleapis.com/v1"
    assert found.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert found["metadata"]["namespace"] == daemonset["metadata"]["namespace"]
    assert found["spec"].keys() == {"selector", "endpoints"}
    assert found["spec"]["selector"].keys() == {"matchLabels"}
    assert found["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (endpoint,) = found["spec"]["endpoints"]
    (port,) = template["spec"]["containers"][0]["ports"]
    assert endpoint == {"port": port["name"], "path": "/metrics", "interval": "30s"}


# An overlay of one's own, as the README shows it


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The README's overlay, with the repository where it expects it."""
    (text,) = re.findall(r"```yaml\n(apiVersion: kustomize.+?)```", README, re.DOTALL)
    shutil.copytree(DEPLOY, tmp_path / "mtls-shipper" / "deploy")
    directory = tmp_path / "my-cluster"
    directory.mkdir()
    (directory / "kustomization.yaml").write_text(text)
    (directory / "config.yaml").write_text(of_kind(FILE, "ConfigMap")["data"]["config.yaml"])
    return directory


def mounted_config(manifests: list[Manifest]) -> str:
    (volume,) = (volume for volume in pod(manifests)["volumes"] if volume["name"] == "config")
    name: str = volume["configMap"]["name"]
    assert of_kind(parted(manifests)[0], "ConfigMap")["metadata"]["name"] == name
    return name


def test_the_own_overlay_is_the_agent_with_all_components(own: Path) -> None:
    found, expected = build(own), render(COMPONENTS)
    assert sorted(map(kind_and_home, found)) == sorted(map(kind_and_home, expected))
    config = of_kind(parted(found)[0], "ConfigMap")
    assert config["data"] == of_kind(FILE, "ConfigMap")["data"]
    assert config["immutable"] is True
    assert images(found).isdisjoint(images(expected))
    assert len(images(found)) == 1


def kind_and_home(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"].get("namespace", "")


def images(manifests: list[Manifest]) -> set[str]:
    templates = [manifest["spec"]["template"] for manifest in manifests if "template" in manifest.get("spec", {})]
    assert len(templates) == 2
    return {one["image"] for template in templates for one in containers(template["spec"])}


def test_in_the_own_overlay_a_changed_configuration_is_another_object(own: Path) -> None:
    before = mounted_config(build(own))
    with (own / "config.yaml").open("a") as file:
        file.write("# changed\n")
    assert mounted_config(build(own)) != before
