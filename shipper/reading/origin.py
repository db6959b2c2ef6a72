"""Whose line it is, as far as what stands around it tells: pod, namespace, container, a time, and who the peer was.

A tool that prints or collects lines writes it before them, or beside them in a record. A peer cannot: it only gets into
the line itself.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

from shipper.pipeline.record import Record


@dataclass(frozen=True, slots=True)
class Peer:
    """Who had the peer's address when the connection was made, as the agent was told: its labels and metadata `peer_*`.
    None for what is not known."""

    kind: str | None = None  # pod, node, external, service, unknown
    namespace: str | None = None
    app: str | None = None
    pod: str | None = None
    node: str | None = None
    owner: str | None = None

    def or_else(self, other: "Peer") -> "Peer":
        """This, and what the other one knows where this knows nothing: labels and metadata of one line."""
        if self is NOBODY or other is NOBODY:
            return other if self is NOBODY else self
        return Peer(
            self.kind or other.kind,
            self.namespace or other.namespace,
            self.app or other.app,
            self.pod or other.pod,
            self.node or other.node,
            self.owner or other.owner,
        )

    @property
    def workload(self) -> str:
        """`<namespace>/<app>`, of what is known of it; empty if it is no workload of the cluster."""
        name = self.app or self.owner or self.pod
        return f"{self.namespace or '?'}/{name}" if name else ""


NOBODY: Final = Peer()


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of the proxy that wrote a line; None for what is not."""

    namespace: str | None = None
    pod: str | None = None
    container: str | None = None
    time: str | None = None  # when the line was written, RFC 3339; the access log's own time is when it began
    peer: Peer = NOBODY

    def or_else(self, other: "Origin") -> "Origin":
        """This, and what the other one knows where this knows nothing."""
        return Origin(
            self.namespace or other.namespace,
            self.pod or other.pod,
            self.container or other.container,
            self.time or other.time,
            self.peer.or_else(other.peer),
        )


UNKNOWN: Final = Origin()

_NAME: Final = r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?"
_VALID: Final = re.compile(_NAME)
_TIME: Final = re.compile(r"(?<!\S)\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)(?!\S)")
_KUBECTL: Final = re.compile(rf"\[pod/({_NAME})/({_NAME})\]")
# stern: pod and container, before them the namespace where all are shown. Words that people have written look the
# same, so the container must be a proxy's.
_STERN: Final = re.compile(rf"(?:^|\s)(?:({_NAME}) )?({_NAME}) (istio-proxy|ztunnel)(?=\s|$)")
_POD: Final = re.compile(rf"(?:^|[\s\[/])({_NAME}-[0-9a-f]{{6,10}}-[a-z0-9]{{5}})(?=[\s\]/:|]|$)")  # of a Deployment
_LABEL: Final = re.compile(rf'[{{,\s](namespace|pod|container)="({_NAME})"')
_PEER: Final = ("kind", "namespace", "app", "pod", "node", "owner")  # fields of Peer, after `peer_`
_VALUE: Final = "[A-Za-z0-9](?:[-A-Za-z0-9._]{0,251}[A-Za-z0-9])?"  # of a Kubernetes label: no shell obeys it
_VALID_VALUE: Final = re.compile(_VALUE)
_PEER_LABEL: Final = re.compile(rf'[{{,\s](peer_[a-z]+)="({_VALUE})"')
_LOG_PATH: Final = re.compile(rf"({_NAME})_({_NAME})_[^/]+/({_NAME})/[^/]+$")

_NAMES: Final = {
    "namespace": ("namespace", "namespace_name", "namespaceName", "kubernetes_namespace_name"),
    "pod": ("pod", "pod_name", "podName", "kubernetes_pod_name"),
    "container": ("container", "container_name", "containerName", "kubernetes_container_name"),
}
# Where collectors keep these: Fluent Bit and Elastic's, Cloud Logging, Loki's streams and what is downloaded of them.
_PLACES: Final = (
    ("kubernetes",),
    ("resource", "labels"),
    ("labels",),
    ("stream",),
    ("fields",),
    ("structuredMetadata",),
)
_TIMES: Final = ("time", "timestamp", "@timestamp", "date")


def of_prefix(before: str) -> Origin:
    """What the text before a line tells: `kubectl logs --prefix --timestamps`, stern, logcli."""
    time = _TIME.search(before)
    when = time[0] if time else None
    if found := _KUBECTL.search(before):
        return Origin(None, found[1], found[2], when)
    if found := _STERN.search(before):
        return Origin(found[1], found[2], found[3], when)
    if found := _POD.search(before):
        return Origin(None, found[1], None, when)
    labels = dict(_LABEL.findall(before))
    peer = peer_of(dict(_PEER_LABEL.findall(before)))
    return Origin(labels.get("namespace"), labels.get("pod"), labels.get("container"), when, peer)


def peer_of(labels: Mapping[str, object]) -> Peer:
    """What labels and metadata tell of the peer. `__overflow__`, which stands for too many values, is no name."""
    if not any(f"peer_{name}" in labels for name in _PEER):
        return NOBODY
    values = ((name, labels.get(f"peer_{name}")) for name in _PEER)
    return Peer(**{name: value for name, value in values if isinstance(value, str) and _VALID_VALUE.fullmatch(value)})


def of_path(path: str) -> Origin:
    """What a path below /var/log/pods tells: `NAMESPACE_POD_UID/CONTAINER/0.log`."""
    found = _LOG_PATH.search(path)
    return Origin(found[1], found[2], found[3]) if found else UNKNOWN


def of_record(record: Record) -> Origin:
    """What a collector's record tells beside the line."""
    found: dict[str, str] = {}
    for place in _places(record):
        for name, keys in _NAMES.items():
            for key in keys:
                value = place.get(key)
                if isinstance(value, dict):
                    value = value.get("name")  # Elastic's: kubernetes.pod.name
                if isinstance(value, str) and _VALID.fullmatch(value):
                    found.setdefault(name, value)
    peer = reduce(Peer.or_else, map(peer_of, _places(record)))
    time = next((value for key in _TIMES if isinstance(value := record.get(key), str) and _TIME.fullmatch(value)), None)
    return Origin(found.get("namespace"), found.get("pod"), found.get("container"), time, peer)


def _places(record: Record) -> Iterator[Record]:
    yield record
    for path in _PLACES:
        value: object = record
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, dict):
            yield value
