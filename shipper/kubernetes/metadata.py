"""What an object's metadata say of it: its name, and which workload it belongs to."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

_SCHEDULED: Final = re.compile(r"-\d{8,10}$")  # of a CronJob's Job: minutes since 1970, seconds before Kubernetes 1.21


class OwnerReference(msgspec.Struct, frozen=True, gc=False):
    """One of `ownerReferences`."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class ObjectMeta(msgspec.Struct, frozen=True, gc=False):
    """The part of `ObjectMeta` that is used."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    version: str = msgspec.field(name="resourceVersion", default="")
    created: str | None = msgspec.field(name="creationTimestamp", default=None)  # RFC 3339, whole seconds, UTC
    deleting: str | None = msgspec.field(name="deletionTimestamp", default=None)  # until when it has to be gone
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owners: list[OwnerReference] | None = msgspec.field(name="ownerReferences", default=None)


def app_name(pod: ObjectMeta, labels: Iterable[str]) -> str:
    """What a pod's workload is called: the first of these labels that is set, else its owner's name."""
    found = pod.labels or {}
    for label in labels:
        if value := found.get(label):
            return value
    return owner_name(pod)


def owner_of(pod: ObjectMeta) -> OwnerReference:
    """Its controller, else the first owner; of no kind and name if it has none."""
    owners = pod.owners or []
    return next((one for one in owners if one.controller), owners[0] if owners else OwnerReference())


def owner_name(pod: ObjectMeta) -> str:
    """The name of the workload that the pod belongs to: a Deployment, StatefulSet, DaemonSet, Job or CronJob.

    Empty for a pod without an owner. A static pod's owner is its node, and the pod's name ends with the node's.
    """
    owner = owner_of(pod)
    match owner.kind:
        case "ReplicaSet":  # of a Deployment, if the pod has this label
            return owner.name.removesuffix(f"-{(pod.labels or {}).get('pod-template-hash', '')}")
        case "Job":
            return _SCHEDULED.sub("", owner.name)
        case "Node":
            return pod.name.removesuffix(f"-{owner.name}")
        case _:
            return owner.name
