"""The metrics and labels there are, asked of agent and directory themselves, and those that others put beside them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

import yaml
from prometheus_client.metrics import MetricWrapperBase

from shipper.config import DirectoryConfig
from shipper.config.sections import LABELS, MTLS_LABELS, PEER_LABELS
from shipper.directory.clock import Clock
from shipper.directory.knowledge import Knowledge
from shipper.directory.metrics import Metrics as DirectoryMetrics
from shipper.metrics import Metrics
from shipper.pipeline.labels import Admission
from shipper.source.status import Status

DEPLOY: Final = Path(__file__).parents[2] / "deploy"

# What the promise of the counter is; where the agent registers it, its own labels are held against these.
FAILURES: Final = {
    "mtls_handshake_failures_total": {
        *("namespace", "app", "failure_reason", "side", "shipped", "peer_namespace", "peer_app")
    }
}

# Not the agent's: of Prometheus, the kubelet and kube-state-metrics.
FOREIGN: Final = {
    "up": set[str](),
    "container_cpu_usage_seconds_total": {"container"},
    "container_memory_working_set_bytes": {"container"},
    "kube_daemonset_status_desired_number_scheduled": {"daemonset"},
    "kube_daemonset_status_number_available": {"daemonset"},
}

# What Prometheus puts on every series: of the target, of the cluster, and what it renames to make room for its own.
TARGET: Final = {"job", "instance", "namespace", "pod", "cluster", "exported_namespace", "exported_pod"}


def agent_metrics() -> dict[str, set[str]]:
    """Every series the agent exposes, with its labels."""
    found = _declared(Metrics())
    files, target = SimpleNamespace(tailers=[], unsettled=lambda: 0), SimpleNamespace(fields={})
    follower = SimpleNamespace(files=files, behind_since=None, target=target)
    reader = SimpleNamespace(followers={"": follower}, paused=set(), budget=SimpleNamespace(pending=0))
    for family in Status(cast("Any", reader), Admission([], 0, 0)).collect():
        found |= {sample.name: set(sample.labels) for sample in family.samples}
    return found


def directory_metrics() -> dict[str, set[str]]:
    """Every series the directory exposes, with its labels."""
    metrics = DirectoryMetrics(Knowledge(DirectoryConfig(), Clock(0)))
    families = list(metrics.registry.collect())
    return {family.name: set() for family in families if family.type == "gauge"} | _declared(metrics)


def _declared(metrics: object) -> dict[str, set[str]]:
    """The series of the metrics that an object holds."""
    found: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            labels = set(metric._labelnames)
            for family in metric.describe():
                found |= {name: labels | extra for name, extra in _series(family).items()}
    return found


def _series(family: Any) -> dict[str, set[str]]:
    """What a family is called when it is exposed."""
    if family.type == "counter":
        return {f"{family.name}_total": set()}
    if family.type == "histogram":
        return {f"{family.name}_bucket": {"le"}, f"{family.name}_count": set(), f"{family.name}_sum": set()}
    return {family.name: set()}


def metrics() -> dict[str, set[str]]:
    """All that an expression may name."""
    return FAILURES | agent_metrics() | directory_metrics() | FOREIGN


def stream_labels() -> set[str]:
    """Labels of a stream: by default, always, and those of the manifest."""
    config = next(
        yaml.safe_load(document["data"]["config.yaml"])
        for document in yaml.safe_load_all((DEPLOY / "daemonset.yaml").read_text())
        if document["kind"] == "ConfigMap"
    )
    return {*LABELS, *MTLS_LABELS, *PEER_LABELS, "job", "service_name", *config["clients"][0]["external_labels"]}
