"""Pods as kubectl prints them."""

import json
from pathlib import Path
from typing import Any

import pytest

from shipper.times import parse_time
from shipper.who import Holder, Reason
from shipper.who.pods_file import PodsFileError, from_pods

OWNER = {"kind": "ReplicaSet", "name": "legacy-client-7d4b9c6f5d", "controller": True}


def at(clock: str) -> int:
    nanos = parse_time(f"2026-11-23T{clock}Z".encode())
    assert nanos is not None
    return nanos


def pod(name: str, *, ips: list[str], node: str = "node-1", host: bool = False, **status: Any) -> dict[str, Any]:
    """A running pod whose only container began at 10:00:00."""
    began = {"restartCount": 0, "state": {"running": {"startedAt": "2026-11-23T10:00:00Z"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "labels": {"app": "legacy-client", "pod-template-hash": "7d4b9c6f5d"},
            "ownerReferences": [OWNER],
        },
        "spec": {"nodeName": node, "hostNetwork": host, "serviceAccountName": "legacy", "containers": []},
        "status": {
            "phase": "Running",
            "podIP": ips[0],
            "podIPs": [{"ip": ip} for ip in ips],
            "startTime": "2026-11-23T09:58:00Z",
            "containerStatuses": [began],
            **status,
        },
    }


def finished(name: str, begin: str, end: str) -> dict[str, Any]:
    """A pod that has completed; its address may be another's now, and kubectl shows it all the same."""
    span = {"startedAt": f"2026-11-23T{begin}Z", "finishedAt": f"2026-11-23T{end}Z"}
    statuses = [{"restartCount": 0, "state": {"terminated": span}}]
    return pod(name, ips=["10.0.1.20"], phase="Succeeded", containerStatuses=statuses)


def written(path: Path, *documents: Any) -> Path:
    path.write_text("\n".join(json.dumps(document, indent=2) for document in documents), "utf-8")
    return path


def a_list(*pods: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": [*pods]}


def test_a_pod_is_named_by_all_its_addresses_while_its_containers_run(tmp_path: Path) -> None:
    path = written(tmp_path / "pods.json", a_list(pod("legacy-client-7d4b9c6f5d-x2x7k", ips=["10.0.1.20", "fd00::20"])))
    history = from_pods(path, at("12:00:00"))
    holder = Holder(
        "pod", "default", "legacy-client-7d4b9c6f5d-x2x7k", "legacy-client", "legacy-client", "node-1", "legacy"
    )
    for address in ("10.0.1.20", "fd00::20"):
        assert history.at(address, at("11:00:00")).holder == holder
    assert history.at("10.0.1.20", at("09:59:00")).reason == Reason.BEFORE_HISTORY
    assert history.at("10.0.1.20", at("12:00:01")).reason == Reason.TOO_RECENT
    assert history.at("10.0.9.9", at("11:00:00")).reason == Reason.BEFORE_HISTORY


def test_a_file_was_taken_when_it_was_written(tmp_path: Path) -> None:
    path = written(tmp_path / "pods.json", a_list(pod("legacy-client", ips=["10.0.1.20"])))
    assert from_pods(path).known == path.stat().st_mtime_ns


def test_of_pods_that_shared_an_address_one_after_the_other_each_is_named(tmp_path: Path) -> None:
    first, second = finished("first", "10:00:00", "10:30:00"), finished("second", "10:40:00", "10:50:00")
    history = from_pods(written(tmp_path / "pods.json", first, second), at("12:00:00"))
    named = [
        history.at("10.0.1.20", at(clock)).holder.pod for clock in ("10:10:00", "10:35:00", "10:45:00", "11:00:00")
    ]
    assert named == ["first", "", "second", ""]


def test_two_that_say_they_had_it_at_once_are_both_doubted(tmp_path: Path) -> None:
    path = written(
        tmp_path / "pods.json", a_list(finished("one", "10:00:00", "10:30:00"), finished("two", "10:20:00", "10:50:00"))
    )
    history = from_pods(path, at("12:00:00"))
    assert history.at("10.0.1.20", at("10:25:00")).reason == Reason.AMBIGUOUS
    assert history.at("10.0.1.20", at("10:10:00")).holder.pod == "one"


def test_pods_of_the_host_network_are_their_node(tmp_path: Path) -> None:
    pods = [pod(name, ips=["10.0.9.1"], host=True) for name in ("kube-proxy", "node-exporter")]
    history = from_pods(written(tmp_path / "pods.json", a_list(*pods)), at("12:00:00"))
    assert history.at("10.0.9.1", at("11:00:00")).holder == Holder("node", node="node-1")


def test_a_network_that_was_made_anew_counts_from_then(tmp_path: Path) -> None:
    made = [{"type": "PodReadyToStartContainers", "status": "True", "lastTransitionTime": "2026-11-23T11:30:00Z"}]
    path = written(tmp_path / "pods.json", a_list(pod("moved", ips=["10.0.1.20"], conditions=made)))
    history = from_pods(path, at("12:00:00"))
    assert history.at("10.0.1.20", at("11:00:00")).reason == Reason.BEFORE_HISTORY
    assert history.at("10.0.1.20", at("11:45:00")).holder.pod == "moved"


def test_a_pod_that_should_be_gone_is_not_believed_after_that(tmp_path: Path) -> None:
    stuck = pod("stuck", ips=["10.0.1.20"])
    stuck["metadata"]["deletionTimestamp"] = "2026-11-23T11:00:00Z"
    history = from_pods(written(tmp_path / "pods.json", stuck), at("12:00:00"))
    assert history.at("10.0.1.20", at("10:30:00")).holder.pod == "stuck"
    assert history.at("10.0.1.20", at("11:30:00")).reason


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "pods.json: empty; kubectl get pods -A -o json > "),
        ('{"kind": "List",\n "items": [', "pods.json:2: not JSON: "),
        ('{"kind": "List", "items": []}\n{"kind": "Deployment"}', "pods.json:2: expected pods, got kind 'Deployment'"),
        ('{"kind": "List", "items": [{"metadata": {"name": 3}}]}', "json:1: Expected `str`, got `int` - at `items[0]"),
        ("apiVersion: v1\nkind: List\n", "pods.json:1: not JSON: "),
        ("[" * 100_000, "pods.json: nested too deeply to be pods"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_with_its_place(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "pods.json"
    path.write_text(text)
    with pytest.raises(PodsFileError) as raised:
        from_pods(path)
    assert what in str(raised.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(PodsFileError, match=r"pods\.json: no such file"):
        from_pods(tmp_path / "pods.json")


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    path = tmp_path / "pods.json"
    path.write_bytes(b'{"kind": "List",\n"items": ["\xff"]}x')
    with pytest.raises(PodsFileError, match=r"pods\.json:2: not UTF-8"):
        from_pods(path)
