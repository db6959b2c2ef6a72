"""Counts failed handshakes, each connection once.

Envoy may write several lines about one connection (listener, tcp_proxy, Istio's own): all are shipped, one is counted.
They share the connection's id, its start and the client's address. If a proxy logs no id, each line counts: so with
ztunnel, which writes one line about a connection on each of its sides.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Final, NamedTuple

from shipper.pipeline.failure import TIMEOUT, Failure
from shipper.pipeline.peers import Peer
from shipper.pipeline.record import Record

REMEMBERED: Final = 4096  # connections: the lines of one come within moments

_IDENTITY: Final = ("connection_id", "start_time", "downstream_remote_address")


class FailureKind(NamedTuple):
    """What failures are counted by."""

    reason: str
    side: str
    shipped: bool
    app: tuple[str, str] | None = None  # namespace and app that the line speaks for; None: the target's
    peer: tuple[str, str] = ("", "")  # namespace and app of the peer, empty where unknown


class Audit:
    """Counts the failed handshakes of all targets; remembers the last connections."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, None] = {}

    def count(
        self,
        failure: Failure,
        record: Record,
        target: str,
        shipped: bool,
        into: Counter[FailureKind],
        app: tuple[str, str] | None = None,
        peer: tuple[str, str] = ("", ""),
    ) -> None:
        """Count the failure, unless its connection was counted already; `app` and `peer`: see `FailureKind`."""
        if self.is_first(failure, record, target):
            into[FailureKind(failure.reason, failure.side, shipped, app, peer)] += 1

    def count_many(
        self,
        judged: Iterable[tuple[Failure | None, Record]],
        peers: Iterable[Peer | None],
        target: str,
        into: Counter[FailureKind],
    ) -> None:
        """The same for lines that are shipped, each with its peer: a kind is made for all that are of it."""
        firsts: dict[tuple[Failure, tuple[str, str]], int] = {}
        for (failure, record), peer in zip(judged, peers, strict=True):
            if failure is not None and peer is not None and self.is_first(failure, record, target):
                kind = failure, peer.app
                firsts[kind] = firsts.get(kind, 0) + 1
        for (failure, app), times in firsts.items():
            into[FailureKind(failure.reason, failure.side, True, None, app)] += times

    def is_first(self, failure: Failure, record: Record, target: str) -> bool:
        """Whether this is the first line about its connection, as far as the last ones are remembered."""
        if failure == TIMEOUT:  # a reason to keep a line, but no failed handshake
            return False
        identity = tuple([record.get(key) for key in _IDENTITY])
        return identity[0] is None or not self._is_known((target, failure.side, *map(str, identity)))

    def _is_known(self, connection: Hashable) -> bool:
        if connection in self._seen:
            return True
        if len(self._seen) >= REMEMBERED:
            del self._seen[next(iter(self._seen))]  # the oldest
        self._seen[connection] = None
        return False
