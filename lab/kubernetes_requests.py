"""Requests to the Kubernetes API, and its refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import orjson
from aiohttp import web

from lab.kubernetes_forms import Form, Kind, Object, kind_of
from lab.pods import Pod, failure

TABLE: Final = "as=Table"
PARTIAL: Final = "as=PartialObjectMetadata"

Verb = Literal["list", "watch"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as received."""

    verb: Verb
    kind: Kind
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def node(self) -> str:
        """The node whose pods are asked for; empty: all objects. Raises ValueError for any other selector."""
        if "fieldSelector" not in self.query or self.without_host_network:
            return ""
        name, _, node = self.query["fieldSelector"].partition("=")
        if self.kind != "pods" or name != "spec.nodeName" or not node:
            raise ValueError("something else than the pods of one node was asked for")
        return node

    @property
    def without_host_network(self) -> bool:
        """Whether the pods of the host network are left out."""
        return self.kind == "pods" and self.query.get("fieldSelector") == "spec.hostNetwork=false"

    def selects(self, made: Object) -> bool:
        """Whether it asks for this object."""
        if self.without_host_network and isinstance(made, Pod) and made.host_network:
            return False
        return self.kind == kind_of(made) and self.node in ("", made.node)

    def form(self, known: frozenset[Form]) -> Form:
        """The first form in `Accept` that the server knows. Raises ValueError when whole objects come first."""
        accept = self.headers.get("Accept", "")
        places = {"Table": accept.find(TABLE), "metadata": accept.find(PARTIAL)}
        if max(places.values()) < 0 or self.query.get("includeObject", "Metadata") == "Object":
            raise ValueError("whole objects were asked for")
        forms: list[Form] = [form for form in ("Table", "metadata") if places[form] >= 0]
        return next((form for form in sorted(forms, key=lambda form: places[form]) if form in known), "whole")


def refused(code: int, reason: str, message: str) -> web.Response:
    """A status, with a reason in Kubernetes' words."""
    body = orjson.dumps(failure(code, reason, message))
    return web.Response(status=code, body=body, content_type="application/json")
