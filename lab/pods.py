"""Pods as the Kubernetes API shows them to those who ask for metadata only."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

# What is shown beside the metadata by a server that does not know metadata alone.
REST: Final = {
    "spec": {"containers": [{"name": "app", "env": [{"name": "A", "value": '"}{'}]}]},
    "status": {"phase": "Running"},
}


@dataclass(frozen=True, slots=True)
class Pod:
    """What the API knows of a pod, as far as somebody asks."""

    namespace: str
    name: str
    node: str = "node-1"
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owner: tuple[str, str] | None = None  # kind and name of its controller
    address: str = ""
    phase: str = "Running"
    host_network: bool = False
    restarts: str = "0"  # as a table shows them
    deleting: str = ""  # since when it is being deleted
    created: str = "2026-11-23T10:30:00Z"

    def metadata(self, version: int) -> dict[str, Any]:
        """ObjectMeta as the server shows it, with all that nobody needs."""
        owner = self.owner and {"apiVersion": "v1", "kind": self.owner[0], "name": self.owner[1], "controller": True}
        return {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": self.created,
            **({"deletionTimestamp": self.deleting, "deletionGracePeriodSeconds": 30} if self.deleting else {}),
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            **({"ownerReferences": [owner]} if owner else {}),
            "managedFields": MANAGED,
        }


def _fields(*names: str) -> dict[str, Any]:
    """A set of fields, as a manager claims it."""
    return {".": {}} | {f"f:{name}": {} for name in names}


def _each(key: str, names: Iterable[str], *fields: str) -> dict[str, Any]:
    """The same of each item of a list."""
    return {".": {}} | {f'k:{{"{key}":"{name}"}}': _fields(key, *fields) for name in names}


def _managed(manager: str, fields: Mapping[str, Any], subresource: str = "") -> dict[str, Any]:
    """Who has set what."""
    beside = {"subresource": subresource} if subresource else {}
    time = "2026-11-23T10:30:00Z"
    told = {"manager": manager, "operation": "Update", "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1"}
    return {**told, "fieldsV1": fields, **beside}


def _container(env: Iterable[str], mounts: Iterable[str]) -> dict[str, Any]:
    probe = {"f:httpGet": _fields("path", "port", "scheme")} | _fields("failureThreshold", "periodSeconds")
    amounts = {"f:limits": _fields("cpu", "memory"), "f:requests": _fields("cpu", "memory")}
    return _fields("image", "imagePullPolicy", "name", "terminationMessagePath", "terminationMessagePolicy") | {
        "f:env": _each("name", env, "value"),
        "f:livenessProbe": probe,
        "f:readinessProbe": probe,
        "f:resources": amounts,
        "f:volumeMounts": _each("mountPath", mounts, "name"),
    }


_CONTAINERS: Final = {
    'k:{"name":"app"}': _container(("MODE", "DATABASE"), ("/etc/app",)),
    'k:{"name":"istio-init"}': _container((), ()),
    'k:{"name":"istio-proxy"}': _container(
        (f"ISTIO_META_{number}" for number in range(30)), (f"/var/run/secrets/istio/{number}" for number in range(10))
    ),
}
_CONDITIONS: Final = ("PodReadyToStartContainers", "ContainersReady", "Initialized", "Ready")

# The larger part of the metadata of a real pod with a sidecar (6 of 7 KiB), and full of braces.
MANAGED: Final = [
    _managed(
        "kube-controller-manager",
        {
            "f:metadata": {"f:labels": _fields("app", "pod-template-hash"), "f:ownerReferences": _fields()},
            "f:spec": _fields("dnsPolicy", "restartPolicy", "schedulerName", "securityContext")
            | {"f:containers": _CONTAINERS, "f:volumes": _each("name", ("envoy", "data", "token"), "emptyDir")},
        },
    ),
    _managed(
        "kubelet",
        {
            "f:status": _fields("containerStatuses", "hostIP", "hostIPs", "phase", "podIP", "podIPs", "startTime")
            | {"f:conditions": _each("type", _CONDITIONS, "lastProbeTime", "lastTransitionTime", "status")}
        },
        "status",
    ),
]


def event(kind: str, metadata: Mapping[str, Any]) -> bytes:
    """A line of a watch that tells metadata alone."""
    made = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return orjson.dumps({"type": kind, "object": made}) + b"\n"


def failure(code: int, reason: str, message: str) -> dict[str, Any]:
    """A Status: why not."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
