"""The workflow that makes a release: what it calls exists, and it builds what the manifests expect."""

import importlib.util
import re
from typing import Any

import pytest
import yaml

from release.helm import CHART, ROOT

WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
RELEASE: dict[str, Any] = WORKFLOWS["release"]["jobs"]
MAKEFILE = (ROOT / "Makefile").read_text()


def steps(job: str) -> list[dict[str, Any]]:
    return list(RELEASE[job]["steps"])


def build() -> dict[str, Any]:
    (step,) = (step for step in steps("publish") if step.get("uses", "").startswith("docker/build-push-action@"))
    return dict(step["with"])


def test_a_tag_alone_makes_a_release() -> None:
    # YAML 1.1 reads the key `on` as true.
    assert WORKFLOWS["release"][True] == {"push": {"tags": ["v*"]}}


def test_nothing_is_published_that_has_not_passed() -> None:
    commands = [step.get("run") for step in steps("check")]
    assert ".ci/run" in commands
    assert any("release.notes" in (command or "") for command in commands)
    assert RELEASE["publish"]["needs"] == "check"


def test_the_image_is_built_for_the_nodes_that_the_manifests_send_it_to() -> None:
    architectures = yaml.safe_load((CHART / "values.yaml").read_text())["image"]["architectures"]
    assert build()["platforms"].split(",") == [f"linux/{name}" for name in architectures]


def test_the_image_says_where_it_comes_from_and_what_is_in_it() -> None:
    assert build()["provenance"] == "mode=max"
    assert build()["sbom"] is True
    assert "cosign sign" in " ".join(step.get("run", "") for step in steps("publish"))


def test_every_argument_of_the_build_is_one_of_the_dockerfile() -> None:
    known = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    given = {line.partition("=")[0] for line in build()["build-args"].splitlines()}
    assert given - {"SOURCE_DATE_EPOCH"} <= known  # BuildKit takes that one itself


def test_only_the_job_that_publishes_may_write() -> None:
    assert WORKFLOWS["release"]["permissions"] == {"contents": "read"}
    assert "permissions" not in RELEASE["check"]
    assert RELEASE["publish"]["permissions"] == {"contents": "write", "packages": "write", "id-token": "write"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_workflow_runs_is_there(name: str) -> None:
    jobs = WORKFLOWS[name]["jobs"].values()
    commands = " ".join(step.get("run", "") for job in jobs for step in job["steps"])
    assert all(re.search(rf"^{target}:", MAKEFILE, re.MULTILINE) for target in re.findall(r"\bmake (\w+)", commands))
    assert all(importlib.util.find_spec(module) for module in re.findall(r"python -m ([\w.]+)", commands))
