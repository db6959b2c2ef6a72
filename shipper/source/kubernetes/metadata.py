"""What a pod's metadata say about its target: its app, and the labels and annotations that become stream labels.

Pure: the API's JSON in, fields out. Decodes only the fields that are used.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from shipper.config import ScrapeConfig
from shipper.pipeline.labels import cut

STATIC_POD_HASH: Final = "kubernetes.io/config.hash"  # takes the place of the uid in a static pod's log path
_SCHEDULED = re.compile(r"-\d{8,10}$")  # of a CronJob's Job: minutes since 1970, seconds before Kubernetes 1.21


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
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owners: list[OwnerReference] | None = msgspec.field(name="ownerReferences", default=None)

    @property
    def log_directories(self) -> list[str]:
        """Names that its log directory can have: by its uid, and for a static pod also by its configuration's hash."""
        hashed = (self.annotations or {}).get(STATIC_POD_HASH)
        return [f"{self.namespace}_{self.name}_{ident}" for ident in (self.uid, hashed) if ident]


class ListMetadata(msgspec.Struct, frozen=True, gc=False):
    """The part of `ListMeta` that is used."""

    version: str = msgspec.field(name="resourceVersion")


class PodList(msgspec.Struct, frozen=True, gc=False):
    """A list of pods. Items are decoded one by one, so that one that cannot be decoded does not cost the others."""

    metadata: ListMetadata
    items: list[msgspec.Raw] | None = None


class Pod(msgspec.Struct, frozen=True, gc=False):
    """An item of a list."""

    metadata: ObjectMeta


class Subject(msgspec.Struct, frozen=True, gc=False):
    """The object of an event: a pod, or a Status with an error."""

    metadata: ObjectMeta = ObjectMeta()
    code: int = 0
    message: str = ""


class WatchEvent(msgspec.Struct, frozen=True, gc=False):
    """A line of a watch."""

    type: str
    object: Subject


# Each raises msgspec.MsgspecError or UnicodeDecodeError.
decode_list: Final = msgspec.json.Decoder(PodList).decode
decode_pod: Final = msgspec.json.Decoder(Pod).decode
_decode_event: Final = msgspec.json.Decoder(WatchEvent).decode

# `managedFields`, which say who has set what, are six sevenths of an event and the last of its metadata. No string can
# hold these bytes: they begin with a quote that is not escaped.
_MANAGED: Final = b',"managedFields":['
_END: Final = b"]}}}"  # of an event with nothing after it


def decode_event(text: bytes, start: int = 0, end: int | None = None) -> WatchEvent:
    """The event that is a part of a text, decoded without its `managedFields`.

    They are neither copied nor decoded, because that costs 11 of 18 µs: at 1,000 events/s, with the change of a pod and
    7 kB each, 1.1 of the 2 % of a core that the benchmark allows.
    """
    end = len(text) if end is None else end
    managed = text.find(_MANAGED, start, end)
    if managed >= 0 and text.endswith(_END, start, end):
        return _decode_event(text[start:managed] + b"}}}")
    return _decode_event(text[start:end])


def fields_from(config: ScrapeConfig) -> Callable[[ObjectMeta], dict[str, str]]:
    """Pod metadata -> the target's fields that only the API knows: `app`, and those that `pod_labels` and
    `pod_annotations` name, if the pod has them."""

    wanted_labels, wanted_annotations = list(config.pod_labels.items()), list(config.pod_annotations.items())

    def fields(pod: ObjectMeta) -> dict[str, str]:  # plain loops: this runs for each event
        labels, annotations = pod.labels or {}, pod.annotations or {}
        app = _first(labels, config.app_label) or owner_name(pod)
        found = {"app": app} if app else {}
        for name, source in wanted_labels:
            if value := labels.get(source):
                found[name] = cut(value)
        for name, source in wanted_annotations:
            if value := annotations.get(source):
                found[name] = cut(value)
        return found

    return fields


def _first(labels: Mapping[str, str], names: Iterable[str]) -> str:
    for name in names:
        if value := labels.get(name):
            return value
    return ""


def owner_name(pod: ObjectMeta) -> str:
    """The name of the workload that the pod belongs to: a Deployment, StatefulSet, DaemonSet, Job or CronJob.

    Empty for a pod without an owner. A static pod's owner is its node, and the pod's name ends with the node's.
    """
    owners = pod.owners or []
    owner = next((one for one in owners if one.controller), owners[0] if owners else OwnerReference())
    match owner.kind:
        case "ReplicaSet":  # of a Deployment, if the pod has this label
            return owner.name.removesuffix(f"-{(pod.labels or {}).get('pod-template-hash', '')}")
        case "Job":
            return _SCHEDULED.sub("", owner.name)
        case "Node":
            return pod.name.removesuffix(f"-{owner.name}")
        case _:
            return owner.name
