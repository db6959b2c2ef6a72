"""What kustomize makes of deploy/, by the kubectl that comes with the project's own tools."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.known import DEPLOY

Manifest = dict[str, Any]

KUBECTL: Final = Path(sys.executable).with_name("kubectl")
DIRECTORY: Final = "mtls-shipper-directory"  # the name of each of its objects, and of their namespace
COMPONENTS: Final = ("standard", "pod-monitoring", "directory", "directory/pod-monitoring")
CHOICES: Final = [
    choice
    for size in range(len(COMPONENTS) + 1)
    for choice in combinations(COMPONENTS, size)
    if "directory/pod-monitoring" not in choice or "directory" in choice
]


def choose(deploy: Path, components: tuple[str, ...]) -> None:
    """Take the comment signs away, as the kustomization tells to."""
    file = deploy / "kustomization.yaml"
    text = file.read_text()
    for component in components:
        assert text.count(f"\n  # - {component} ") == 1
        text = text.replace(f"\n  # - {component} ", f"\n  - {component} ")
    file.write_text(text)


def build(directory: Path) -> list[Manifest]:
    """What `kubectl apply -k` would send; without flags, as people call it."""
    done = subprocess.run([KUBECTL, "kustomize", str(directory)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr  # a warning, such as of a field that is going away
    return list(yaml.safe_load_all(done.stdout))


@cache
def render(components: tuple[str, ...] = ()) -> list[Manifest]:
    """deploy/ with these components. Not to be changed: it is made once."""
    with tempfile.TemporaryDirectory() as directory:
        deploy = shutil.copytree(DEPLOY, Path(directory) / "deploy")
        choose(deploy, components)
        return build(deploy)


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    """The one of this kind."""
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def parted(manifests: list[Manifest]) -> tuple[list[Manifest], list[Manifest]]:
    """The agent's objects, and the directory's."""
    agents = [manifest for manifest in manifests if not manifest["metadata"]["name"].startswith(DIRECTORY)]
    return agents, [manifest for manifest in manifests if manifest not in agents]


def containers(pod: Manifest) -> Iterator[Manifest]:
    """All of them, whenever they run."""
    yield from pod.get("initContainers", ())
    yield from pod["containers"]
