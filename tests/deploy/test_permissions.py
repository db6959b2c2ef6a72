"""The README's table of permissions, held against what the manifests really ask for: nothing more, nothing untold."""

import re
from collections.abc import Iterator

import pytest

from tests.deploy.known import DEPLOY
from tests.deploy.rendered import Manifest, containers, of_kind, parted, render

README = (DEPLOY / "README.md").read_text()
CHAPTER = README.split("## What each permission is for")[1].split("\n## ")[0]
ALWAYS, WITH_STANDARD, OF_THE_DIRECTORY = (
    re.findall(r"^\| (?!Permission|---)(.+?) \|", table, re.MULTILINE)
    for table in re.split(
        r"^With `standard`, in place of the emptyDir:|^The directory's own pods,", CHAPTER, flags=re.MULTILINE
    )
)
EMPTY_DIR = "an emptyDir of at most 192Mi"


def grants(manifests: list[Manifest]) -> Iterator[str]:
    """Each right that these objects give or ask for, in the README's words. One of them makes pods."""
    (pod,) = (found["spec"]["template"]["spec"] for found in manifests if "template" in found.get("spec", {}))
    yield from of_volumes(pod)
    yield from of_users(pod)
    yield from of_the_api(manifests, pod)
    yield from of_the_network(manifests, pod)
    level = of_kind(manifests, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    yield f"namespace level `{level}`"
    for toleration in pod.get("tolerations", ()):
        yield "toleration of every taint" if toleration == {"operator": "Exists"} else f"toleration {toleration}"
    if "priorityClassName" in pod:
        yield "a PriorityClass"


def of_volumes(pod: Manifest) -> Iterator[str]:
    mounts = [mount for container in containers(pod) for mount in container["volumeMounts"]]
    for volume in pod["volumes"]:
        if "hostPath" in volume:
            writable = any(not mount.get("readOnly") for mount in mounts if mount["name"] == volume["name"])
            yield f"hostPath `{volume['hostPath']['path']}`, {'writable' if writable else 'read-only'}"
        elif "emptyDir" in volume:
            yield f"an emptyDir of at most {volume['emptyDir']['sizeLimit']}"
        else:
            assert volume.keys() == {"name", "configMap"}


def of_users(pod: Manifest) -> Iterator[str]:
    if pod["securityContext"]["runAsGroup"] == 0:
        yield "group 0"
    for container in containers(pod):
        context = pod["securityContext"] | container["securityContext"]
        where = "an init container" if container in pod.get("initContainers", ()) else "the agent"
        if context["runAsUser"] == 0:
            yield f"user 0, in {where}"
        elif not context["runAsNonRoot"]:
            yield f"any user, in {where}"
        for right in ("privileged", "allowPrivilegeEscalation"):
            if context[right]:
                yield f"{right}, in {where}"
        if not context["readOnlyRootFilesystem"]:
            yield f"a writable root, in {where}"
        if context["capabilities"] != {"drop": ["ALL"]}:
            yield f"capabilities {context['capabilities']}, in {where}"


def of_the_api(manifests: list[Manifest], pod: Manifest) -> Iterator[str]:
    for manifest in manifests:
        if manifest["kind"] in ("ClusterRole", "Role"):
            where = "all namespaces" if manifest["kind"] == "ClusterRole" else "its own namespace"
            for rule in manifest["rules"]:
                verbs = " and ".join(f"`{verb}`" for verb in rule["verbs"])
                yield f"{verbs} on {' and '.join(rule['resources'])}, in {where}"
    if pod["automountServiceAccountToken"]:
        yield "a token for the API"


def of_the_network(manifests: list[Manifest], pod: Manifest) -> Iterator[str]:
    ports = {port["name"]: port for container in pod["containers"] for port in container["ports"]}
    policy = of_kind(manifests, "NetworkPolicy")["spec"]
    if "Egress" not in policy["policyTypes"]:
        yield "egress"
    for rule in policy.get("egress", ()):
        assert rule.keys() == {"ports"}
        yield f"egress on {' and '.join(sorted({str(port['port']) for port in rule['ports']}))}"
    for rule in policy["ingress"]:
        sources = "".join(f", from {source(one)}" for one in rule.get("from", ()))
        for port in rule["ports"]:
            yield f"ingress on {ports[port['port']]['containerPort']}{sources}"
    for port in ports.values():
        if "hostPort" in port:
            yield f"host port {port['hostPort']}"
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield name


def source(of: Manifest) -> str:
    """Whom a rule lets in."""
    assert of.keys() <= {"namespaceSelector", "podSelector"}
    where = of["namespaceSelector"]
    if "podSelector" not in of:
        (named,) = where["matchExpressions"]
        assert (named["key"], named["operator"]) == ("kubernetes.io/metadata.name", "In")
        return f"the namespaces {', '.join(f'`{name}`' for name in named['values'])}"
    (namespace,), (pod,) = (selector["matchLabels"].values() for selector in (where, of["podSelector"]))
    return f"pods `{pod}` of the namespace `{namespace}`"


@pytest.mark.parametrize("components", [(), ("pod-monitoring",), ("directory",)], ids=str)
def test_the_table_is_what_the_manifest_asks_for(components: tuple[str, ...]) -> None:
    agents, _ = parted(render(components))
    assert sorted(grants(agents)) == sorted(ALWAYS)


def test_the_directory_has_a_table_of_its_own() -> None:
    _, directory = parted(render(("directory",)))
    assert sorted(grants(directory)) == sorted(OF_THE_DIRECTORY)


def test_with_standard_the_second_table_takes_the_place_of_the_empty_dir() -> None:
    expected = [row for row in ALWAYS if row != EMPTY_DIR] + WITH_STANDARD
    assert len(expected) == len(ALWAYS) - 1 + len(WITH_STANDARD)
    assert sorted(grants(render(("standard",)))) == sorted(expected)
