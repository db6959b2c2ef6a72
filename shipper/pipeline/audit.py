"""Counts failed handshakes, each connection once.

Envoy may write several lines of one connection (listener, tcp_proxy, Istio's own): all are shipped, one is counted.
They share the connection's id, its start and the client's address; of a proxy that logs no id each line counts.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Final, NamedTuple

from shipper.pipeline.failure import Failure
from shipper.pipeline.record import Record

REMEMBERED: Final = 4096  # connections: the lines of one come within moments
NO_FAILURE: Final = "upstream_timeout"  # a reason to keep a line, but no failed handshake

_IDENTITY: Final = ("connection_id", "start_time", "downstream_remote_address")


class FailureKind(NamedTuple):
    """What is counted apart."""

    reason: str
    side: str
    shipped: bool


class Audit:
    """Failed handshakes of all targets; remembers the last connections."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, None] = {}

    def count(self, failure: Failure, record: Record, target: str, shipped: bool, into: Counter[FailureKind]) -> None:
        """Count the failure, unless its connection was counted already."""
        if failure.reason == NO_FAILURE:
            return
        identity = tuple([record.get(key) for key in _IDENTITY])
        if identity[0] is not None and self._is_known((target, failure.side, *map(str, identity))):
            return
        into[FailureKind(failure.reason, failure.side, shipped)] += 1

    def _is_known(self, connection: Hashable) -> bool:
        if connection in self._seen:
            return True
        if len(self._seen) >= REMEMBERED:
            del self._seen[next(iter(self._seen))]  # the oldest
        self._seen[connection] = None
        return False
