"""`shipper explain --pods`: who had the peer's address then, told by a file of pods."""

import json
from pathlib import Path
from typing import Any

import pytest

from shipper.cli import main
from tests.explain.test_peer import LEGACY, PLAINTEXT, UPSTREAM, jsonl


def pod(name: str, start: str, address: str = "10.0.1.20", **status: Any) -> dict[str, Any]:
    running = {"state": {"running": {"startedAt": start}}, "restartCount": 0}
    return {
        "kind": "Pod",
        "metadata": {"namespace": "default", "name": name, "uid": name, "labels": {"app": "legacy-client"}},
        "spec": {"nodeName": "node-7"},
        "status": {"phase": "Running", "podIP": address, "containerStatuses": [running], **status},
    }


def ended(name: str, start: str, end: str) -> dict[str, Any]:
    done = {"state": {"terminated": {"startedAt": start, "finishedAt": end}}, "restartCount": 0}
    return pod(name, start, phase="Succeeded", containerStatuses=[done])


@pytest.fixture
def pods(tmp_path: Path) -> Path:
    """Two pods that had one address, one after the other."""
    first = ended("legacy-0", "2026-11-30T10:00:00Z", "2026-11-30T10:45:00Z")
    second = pod("other-1", "2026-11-30T10:50:00Z")
    return written(tmp_path, {"kind": "List", "items": [first, second]})


def written(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "pods.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return file


def explained(capsys: pytest.CaptureFixture[str], pods: Path, line: str, *flags: str) -> tuple[int, str, str]:
    code = main(["explain", "--pods", str(pods), *flags, line])
    return code, *capsys.readouterr()


def test_the_pod_of_that_time_is_named_and_stands_in_the_commands(
    capsys: pytest.CaptureFixture[str], pods: Path
) -> None:
    code, out, _ = explained(capsys, pods, json.dumps(PLAINTEXT))
    assert code == 0
    assert "from 10.0.1.20:54321, which was pod legacy-0 in default, without the mesh's mTLS" in out.replace("\n", " ")
    assert "kubectl get pod legacy-0 -n default --output wide" in out


@pytest.mark.parametrize(("time", "name"), [("10:44:50", "legacy-0"), ("10:47:00", None), ("10:51:00", "other-1")])
def test_each_time_has_its_own_pod_or_none(
    capsys: pytest.CaptureFixture[str], pods: Path, time: str, name: str | None
) -> None:
    line = json.dumps(PLAINTEXT | {"start_time": f"2026-11-30T{time}.000Z"})
    _, out, _ = explained(capsys, pods, line, "-o", "json")
    assert json.loads(out)["peer"]["pod"] == name


def test_a_server_is_named_by_its_address(capsys: pytest.CaptureFixture[str], pods: Path) -> None:
    _, out, _ = explained(capsys, pods, json.dumps(UPSTREAM), "-o", "json")
    peer = json.loads(out)["peer"]
    assert (peer["kind"], peer["namespace"], peer["app"], peer["node"]) == ("pod", "default", "legacy-client", "node-7")


def test_what_the_agent_was_told_then_counts_more_than_the_file(capsys: pytest.CaptureFixture[str], pods: Path) -> None:
    _, out, _ = explained(capsys, pods, jsonl(LEGACY), "-o", "json")
    assert json.loads(out)["peer"]["pod"] == LEGACY["peer_pod"]
    _, out, _ = explained(capsys, pods, jsonl({"peer_kind": "unknown"}), "-o", "json")
    assert json.loads(out)["peer"]["pod"] == "legacy-0"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"kind":"List",\n"items":[\n{"metadata":3}]}', ":3: Expected `object`, got `int` - at `items[0].metadata`"),
        ('{"kind": "Deployment"}', ":1: expected pods, got kind 'Deployment'; kubectl get pods -A -o json"),
        ("NAME READY\ncart 1/1\n", ":1: not JSON"),
        ("", ": empty; kubectl get pods -A -o json >"),
    ],
)  # fmt: skip
def test_a_file_that_has_no_pods_is_said_with_its_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str, problem: str
) -> None:
    file = written(tmp_path, content)
    code, out, err = explained(capsys, file, json.dumps(PLAINTEXT))
    assert (code, out) == (2, "")
    assert f"explain: --pods: {file}{problem}" in err
    assert err.count("\n") == 1
