"""Pods as the Kubernetes API shows them to those who ask for metadata only."""

import uuid
from collections.abc import Mapping
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

    def metadata(self, version: int) -> dict[str, Any]:
        """ObjectMeta as the server shows it, with all that nobody needs."""
        owner = self.owner and {"apiVersion": "v1", "kind": self.owner[0], "name": self.owner[1], "controller": True}
        return {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-11-23T10:30:00Z",
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            **({"ownerReferences": [owner]} if owner else {}),
            "managedFields": [_managed(manager) for manager in ("kube-controller-manager", "kubelet")],
        }


def _managed(manager: str) -> dict[str, Any]:
    """Who has set what: the larger part of the metadata of a real pod, and full of braces."""
    fields: dict[str, Any] = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
        "f:status": {'k:{"type":"Ready"}': {"f:status": {}}},
    }
    return {"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}


def event(kind: str, metadata: Mapping[str, Any]) -> bytes:
    """A line of a watch."""
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
