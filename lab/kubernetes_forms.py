"""Objects of the Kubernetes API in the forms that a client can ask for: a Table, metadata alone, or whole.

A Table has cells as `kubectl get` shows them, and the metadata of each row's object.
Facts: kubernetes pkg/printers/internalversion/printers.go, apiserver pkg/endpoints/handlers/response.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from lab.pods import MANAGED, REST, Pod, event

Kind = Literal["pods", "nodes"]
Form = Literal["Table", "metadata", "whole"]

NONE: Final = "<none>"
_PARTIAL: Final = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
_WHOLE: Final = {"pods": "PodList", "nodes": "NodeList"}


def _columns(plain: Sequence[str], wide: Sequence[str]) -> list[dict[str, Any]]:
    named = [(name, 0) for name in plain] + [(name, 1) for name in wide]
    return [
        {"name": name, "type": "string", "format": "", "description": f"The {name} of it.", "priority": priority}
        for name, priority in named
    ]


COLUMNS: Final = {
    "pods": _columns(
        ("Name", "Ready", "Status", "Restarts", "Age"), ("IP", "Node", "Nominated Node", "Readiness Gates")
    ),
    "nodes": _columns(
        ("Name", "Status", "Roles", "Age", "Version"),
        ("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"),
    ),
}


@dataclass(frozen=True, slots=True)
class Node:
    """A node, as far as somebody asks."""

    name: str
    address: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = "2026-11-01T08:00:00Z"

    @property
    def uid(self) -> str:
        """Its own."""
        return f"node-{self.name}"

    @property
    def node(self) -> str:
        """Itself."""
        return self.name

    def metadata(self, version: int) -> dict[str, Any]:
        """ObjectMeta as the server shows it."""
        return {
            "name": self.name,
            "uid": self.uid,
            "resourceVersion": str(version),
            "creationTimestamp": self.created,
            "labels": dict(self.labels),
            "managedFields": MANAGED,
        }


Object = Pod | Node
Versioned = tuple[Object, int]  # and the version of its last change


def kind_of(made: Object) -> Kind:
    """Which resource it is of."""
    return "pods" if isinstance(made, Pod) else "nodes"


def listed(form: Form, kind: Kind, metadata: Mapping[str, str], objects: Iterable[Versioned]) -> bytes:
    """A list, or a page of one, with this metadata."""
    if form == "Table":
        return orjson.dumps(_table(kind, metadata, [_row(*one) for one in objects], names=True))
    whole = form == "whole"
    return orjson.dumps(
        {
            "kind": _WHOLE[kind] if whole else "PartialObjectMetadataList",
            "apiVersion": "v1" if whole else "meta.k8s.io/v1",
            "metadata": metadata,
            "items": [{"metadata": made.metadata(version), **(REST if whole else {})} for made, version in objects],
        }
    )


def told(form: Form, change: str, made: Object, version: int, *, names: bool) -> bytes:
    """A line of a watch; `names`: it names the columns, as the first one does."""
    if form != "Table":
        return event(change, made.metadata(version))
    table = _table(kind_of(made), {"resourceVersion": str(version)}, [_row(made, version)], names=names)
    return orjson.dumps({"type": change, "object": table}) + b"\n"


def bookmark(form: Form, kind: Kind, version: int, *, names: bool) -> bytes:
    """A line of a watch that says how far it is. In a Table it has a row, of nothing."""
    metadata = {"resourceVersion": str(version)}
    if form != "Table":
        return event("BOOKMARK", metadata)
    nothing = Pod("", "", node="", phase="") if kind == "pods" else Node("")
    row = {**_row(nothing, version), "object": {**_PARTIAL, "metadata": {**metadata, "creationTimestamp": None}}}
    return orjson.dumps({"type": "BOOKMARK", "object": _table(kind, metadata, [row], names=names)}) + b"\n"


def _table(
    kind: Kind, metadata: Mapping[str, str], rows: Sequence[Mapping[str, Any]], *, names: bool
) -> dict[str, Any]:
    shown = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**shown, "columnDefinitions": COLUMNS[kind] if names else None, "rows": rows}


def _row(made: Object, version: int) -> dict[str, Any]:
    row: dict[str, Any] = {"cells": _pod_cells(made) if isinstance(made, Pod) else _node_cells(made)}
    if isinstance(made, Pod) and made.phase in ("Succeeded", "Failed"):
        row["conditions"] = [{"type": "Completed", "status": "True", "reason": made.phase, "message": "It ended."}]
    return {**row, "object": {**_PARTIAL, "metadata": made.metadata(version)}}


def _pod_cells(pod: Pod) -> list[Any]:
    status = "Terminating" if pod.deleting else {"Succeeded": "Completed", "Failed": "Error"}.get(pod.phase, pod.phase)
    return [pod.name, "1/1", status, pod.restarts, "5d", pod.address or NONE, pod.node or NONE, NONE, NONE]


def _node_cells(node: Node) -> list[Any]:
    shown = [node.name, "Ready", NONE, "29d", "v1.37.2", node.address or NONE, NONE]
    return [*shown, "Debian GNU/Linux 13 (trixie)", "6.12.43", "containerd://2.4.2"]
