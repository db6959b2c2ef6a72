"""Requests to the Kubernetes API, and its refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import orjson
from aiohttp import web

from lab.pods import failure

PARTIAL: Final = "as=PartialObjectMetadata"

Verb = Literal["list", "watch"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, as received."""

    verb: Verb
    query: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def node(self) -> str:
        """The node whose pods are asked for. Raises ValueError unless it is exactly one."""
        name, _, node = self.query["fieldSelector"].partition("=")
        if name != "spec.nodeName" or not node:
            raise ValueError("pods of other nodes were asked for")
        return node

    def wants_metadata_only(self) -> bool:
        """True. Raises ValueError when whole pods are asked for."""
        if PARTIAL not in self.headers.get("Accept", ""):
            raise ValueError("whole pods were asked for")
        return True


def refused(code: int, reason: str, message: str) -> web.Response:
    """A status, with a reason in Kubernetes' words."""
    body = orjson.dumps(failure(code, reason, message))
    return web.Response(status=code, body=body, content_type="application/json")
