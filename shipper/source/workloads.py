"""Which of this node's pods had a name or an address at a time, for logs that speak for many pods.

Answers what the pipeline asks (`pipeline.workloads`), from what the API tells of this node's pods. What happens to a
pod is told some tenths of a second later, and a line is read about as late, so three things are strict: nothing is said
of a time at which the watch was not up to date; a pod that is being deleted, or has ended, has no address any more,
though the API still shows it; and the node's own address, which all pods of the host network have, is nobody's.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from shipper.kubernetes.metadata import ObjectMeta, owner_of
from shipper.kubernetes.rows import Row
from shipper.pipeline.workloads import FOREVER, Answer
from shipper.times import SECOND, parse_time
from shipper.who.claim import Margins
from shipper.who.history import History
from shipper.who.holder import Holder

MARGINS: Final = Margins(settle=0)  # lines are asked about as they are read: there is no later time to answer at
NAMED_ONCE: Final = ("ReplicaSet", "ReplicationController", "DaemonSet", "Job")  # owners whose pods' names never return


@dataclass(slots=True)
class Incarnation:
    """A pod. Times are nanoseconds since 1970."""

    key: str  # `<namespace>/<name>`
    uid: str
    created: int
    named_once: bool
    earlier: "Incarnation | None"  # the one that had the name before it
    fields: Mapping[str, str] = field(default_factory=dict)
    address: str = ""  # that it has now
    ended: int | None = None


class NodeWorkloads:
    """The pods of this node by name and by address, with those that have ended a while ago."""

    def __init__(self, node: str, node_address: str, remember: float, clock: Callable[[], int] = time.time_ns) -> None:
        """`node_address`: empty if it is not known. `remember`: seconds that a pod which has ended is remembered."""
        self._node, self._node_address, self._clock = node, node_address, clock
        self._remember = int(remember * SECOND)
        self._history = History(MARGINS, keep=self._remember)
        self._names: dict[str, Incarnation] = {}  # the last that was seen of each name
        self._ended: deque[Incarnation] = deque()
        self._listed_at: int | None = None
        self._unlisted: set[str] = set()  # uids that have an address, and that the list has not named so far
        self.is_current = False  # the watch is up to date

    # -- what the API tells

    def begin_list(self) -> None:
        """What is put from now on is of a list."""
        self._listed_at, self._unlisted = self._clock(), self._history.begin_list()

    def end_list(self) -> None:
        """All of the list was put."""
        if self._listed_at is not None:
            self._history.end_list(self._unlisted, self._listed_at)
            self._listed_at = None
        self._forget()

    def put(self, row: Row, fields: Mapping[str, str]) -> None:
        """A pod as it is now, and what its metadata give."""
        pod = row.metadata
        if self._unlisted:
            self._unlisted.discard(pod.uid)
        one = self._incarnation(pod)
        one.fields, one.ended = fields, None
        address = "" if row.completed or pod.deleting or not row.cells else row.cells[0] or ""
        if address == self._node_address:
            address = ""
        if address != one.address:  # seldom
            one.address = address
            now = self._listed_at or self._advance()
            addresses = (address,) if address else ()
            self._history.put(one.uid, Holder("pod", pod=one.key), addresses, now, listed=self._listed_at is not None)

    def remove(self, pod: ObjectMeta, fields: Mapping[str, str]) -> None:
        """A pod is gone; perhaps nothing was heard of it before."""
        self._incarnation(pod).fields = fields
        self._history.remove(pod.uid, self._advance())
        self.end(pod.namespace, pod.name, pod.uid)

    def end(self, namespace: str, name: str, uid: str) -> None:
        """There is no pod of this name and uid any more."""
        for one in self._of_name(f"{namespace}/{name}"):
            if one.uid == uid and one.ended is None:
                one.ended, one.address = self._clock(), ""
                self._ended.append(one)
        self._forget()

    def follows(self) -> None:
        """From now on, what is known is so now."""
        self.is_current = True
        self._advance()

    def lost(self) -> None:
        """Not any more."""
        self._advance()
        self.is_current = False

    def _advance(self) -> int:
        """The time; where all is known, it is known up to then."""
        now = self._clock()
        if self.is_current:
            self._history.advance(now)
        return now

    def _incarnation(self, pod: ObjectMeta) -> Incarnation:
        key = f"{pod.namespace}/{pod.name}"
        last = one = self._names.get(key)
        while one is not None:
            if one.uid == pod.uid:
                return one
            one = one.earlier
        created = parse_time(pod.created.encode()) if pod.created else None
        named_once = owner_of(pod).kind in NAMED_ONCE
        new = Incarnation(key, pod.uid, self._clock() if created is None else created, named_once, last)
        self._names[key] = new
        return new

    def _of_name(self, key: str) -> Iterator[Incarnation]:
        one = self._names.get(key)
        while one is not None:
            yield one
            one = one.earlier

    def _forget(self) -> None:
        """Drop those that have ended long ago, and all that had their name before."""
        until = self._clock() - self._remember
        while self._ended and (self._ended[0].ended or 0) < until:
            gone = self._ended.popleft()
            last = self._names.get(gone.key)
            if gone.ended is None or last is None:  # it was seen again, or is forgotten
                continue
            if last is gone:
                del self._names[gone.key]
            for later in self._of_name(gone.key):
                if later.earlier is gone:
                    later.earlier = None

    # -- questions

    def pod(self, namespace: str, name: str, at: int) -> Answer:
        """See `pipeline.workloads.Workloads`."""
        self._advance()
        found, start, end = self._named(f"{namespace}/{name}", at)
        return Answer(self._fields(found), start, end) if found else _unknown(at)

    def _named(self, key: str, at: int) -> tuple[Incarnation | None, int, int]:
        """The pod of this name at a time, and the span for which that holds."""
        known = list(self._of_name(key))
        if len(known) == 1 and known[0].named_once:
            return known[0], 0, FOREVER
        for one in known:
            until = self._history.known + 1 if one.ended is None else one.ended
            end = min([until, *(other.created for other in known if other.created > one.created)])
            if one.created <= at < end:
                return one, one.created, end
        return None, at, at

    def address(self, address: str, at: int) -> Answer:
        """See `pipeline.workloads.Workloads`."""
        self._advance()
        found = self._history.at(address, at)
        if not found.holder.pod:
            return Answer({}, min(found.start, at), max(found.end, at) + 1)
        pod, start, end = self._named(found.holder.pod, at)
        return Answer(self._fields(pod), max(start, found.start), min(end, found.end + 1)) if pod else _unknown(at)

    def _fields(self, pod: Incarnation) -> dict[str, str]:
        namespace, _, name = pod.key.partition("/")
        return {**pod.fields, "namespace": namespace, "pod": name, "uid": pod.uid, "node": self._node}


def _unknown(at: int) -> Answer:
    return Answer({}, at, at + 1)
