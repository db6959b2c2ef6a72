"""Addresses get names where it is known for sure who had them then."""

import json
from pathlib import Path

from lab import outage
from lab.containerd import rfc3339nano
from shipper.reading.holders import Holders
from shipper.report.build import Builder
from shipper.report.gather import Gathered
from shipper.report.sources import logs_of
from shipper.who.pods_file import from_pods

LEGACY = {
    "kind": "Pod",
    "metadata": {"namespace": "old", "name": "legacy-0", "uid": "1", "labels": {"app": "legacy"}},
    "spec": {"nodeName": "node-7"},
    "status": {
        "phase": "Running",
        "podIP": "10.9.0.77",
        "containerStatuses": [{"state": {"running": {"startedAt": "2026-11-30T06:00:00Z"}}, "restartCount": 0}],
    },
}


def test_a_client_without_a_certificate_is_named_by_the_pods_of_then(pods: Path, tmp_path: Path) -> None:
    file = tmp_path / "pods.json"
    file.write_text(json.dumps({"kind": "List", "items": [LEGACY]}))
    history = from_pods(file, taken=outage.END + 3600 * 10**9)
    gathered = Gathered(holders=Holders(history))
    gathered.read(logs_of([str(pods)]))
    report = Builder(gathered, "pods").report(1000)
    [row] = [row for row in report.rows if row.reason == "plaintext"]
    assert (row.client.name, row.client.kind, row.connections) == ("old/legacy", "workload", outage.PLAINTEXT)
    assert any("kubectl get pod legacy-0 -n old" in command for command in row.next), rfc3339nano(outage.END)
    others = {row.client.kind for row in report.rows if row.reason == "handshake_incomplete"}
    assert others == {"address"}
