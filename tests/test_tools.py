"""What a contributor is offered fits together: make's targets, the hooks, the workflow, the supported versions."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def lines_of(target: str) -> list[str]:
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found is not None
    return found[1].replace("$(BIN)/", ".venv/bin/").split("\n\t")


def test_help_names_every_target() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert [line.split()[1] for line in said.stdout.splitlines()] == phony[1].split()
    assert all(len(line.split()) > 2 for line in said.stdout.splitlines())


def test_hooks_run_the_tools_of_make_lint() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = {tuple(hook["entry"].split()[:2]) for hook in repository["hooks"]}
    assert {command.split()[0] for command in lines_of("lint")} == {tool for tool, *_ in hooks}
    assert repository["repo"] == "local", "a version of its own would drift from requirements/dev.txt"


def test_the_workflow_checks_the_oldest_and_the_newest_python() -> None:
    check = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]["check"]
    named = [one.rsplit(" ", 1)[1] for one in PROJECT["project"]["classifiers"] if "Python :: 3" in one]
    assert check["strategy"]["matrix"]["python"] == [named[0], named[-1]]
    assert PROJECT["project"]["requires-python"] == f">={named[0]}"
    assert {"run": ".ci/run"} in check["steps"]
