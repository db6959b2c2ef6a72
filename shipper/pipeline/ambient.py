"""The lines of ztunnel's access log to entries, each under the labels of the workload that it speaks for.

One ztunnel carries the connections of all pods of its node, so its own name, labels and annotations say nothing of a
line. A line of an inbound connection speaks for its destination, of an outbound one for its source: this end is of
this node, and its name comes from the control plane. The other end's names are never used, for inbound they can be the
peer's own claim; its identity was verified.

Where a line names no workload, as where an inbound handshake failed, the address of this end is looked up; what is not
known stays empty.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from shipper.model import Target
from shipper.pipeline.answers import OFTEN, REMEMBERED, UNKNOWN, Fields
from shipper.pipeline.assemble import Plan, own_time, take_named
from shipper.pipeline.failure import DOWNSTREAM, UPSTREAM, Failure
from shipper.pipeline.keep import MTLS
from shipper.pipeline.labels import LabelSets, label_text, target_labels
from shipper.pipeline.line_fields import LineMetadata, getter
from shipper.pipeline.peers import NO_PEER, Asked, Peer, TargetPeers, asked_about
from shipper.pipeline.record import Record, text, without_port
from shipper.pipeline.result import KEPT, MALFORMED, NOT_KEPT, TOO_LONG, Result
from shipper.pipeline.workloads import Answer
from shipper.pipeline.ztunnel import to_record
from shipper.pod_names import app_of
from shipper.times import parse_time

_FAR_ENDS: Final = {DOWNSTREAM: "src", UPSTREAM: "dst"}
_OF_THE_LOG: Final = ("container", "node")  # fields of the target that are true of each of its lines


@dataclass(slots=True)
class Speaker:
    """The workload that a line speaks for."""

    labels: LabelSets
    workload: str  # its own labels, as text
    app: tuple[str, str]  # namespace and app, empty where unknown
    metadata: LineMetadata


class Ambient:
    """Makes entries of one ztunnel's lines."""

    CACHED: Final = 1024  # workloads: more than a node has pods

    def __init__(self, plan: Plan, target: Target, peers: TargetPeers | None = None) -> None:
        self._plan, self._target, self._peers = plan, target, peers
        self._judge, self._is_counted = plan.rule.judge_of_ztunnel, plan.audit is not None
        self._constant = {name: value for name, value in target.labels.items() if name not in target.promoted}
        self._of_the_log = {name: target.fields[name] for name in _OF_THE_LOG if name in target.fields}
        self._values = [getter(name) for name in plan.admission.names]
        self._names = dict.fromkeys(("namespace", "app", *target.promoted, *plan.metadata))
        self._speakers: dict[tuple[str | None, ...], Speaker] = {}
        self._used: dict[str, int] = {}  # line time of each workload's last use
        self._latest = self._forgot = 0  # line times

    def take(self, time: bytes, content: bytes, fields: Record, found: Result, now: int) -> str:
        """Add the line with these fields to the result if it is kept; returns its reason: KEPT, or why it is filtered
        or dropped."""
        verdict = self._judge(fields)
        failure = verdict or (MTLS.judge_of_ztunnel(fields) if self._is_counted else None)
        if failure is None:
            return NOT_KEPT
        record = to_record(fields)
        nanos = parse_time(time) if time else own_time(record, now)
        if nanos is None:
            return MALFORMED
        speaker = self._speaker(failure, record, nanos)
        if verdict is None or len(content) > self._plan.max_line_size:
            peer = NO_PEER if self._peers is None else self._peers.glimpse(self._asked(failure, record, nanos))
            self._count(speaker, failure, record, found, peer, shipped=verdict is not None)
            return NOT_KEPT if verdict is None else TOO_LONG
        if (peers := self._peers) is None:
            self._finish(speaker, verdict, record, nanos, content, NO_PEER, found)
        else:
            finish = partial(self._finish, speaker, verdict, record, nanos, content)
            take_named(peers, self._asked(verdict, record, nanos), content, finish, found)
        return KEPT

    def _finish(
        self,
        speaker: Speaker,
        verdict: Failure,
        record: Record,
        nanos: int,
        content: bytes,
        peer: Peer,
        found: Result,
    ) -> None:
        found.name(peer)
        self._count(speaker, verdict, record, found, peer, shipped=True)
        entries = found.stream(self._text(speaker, record, verdict, found, peer))
        entries.add(nanos, content, speaker.metadata.of(record, verdict, peer.fields))

    def _count(
        self, speaker: Speaker, failure: Failure, record: Record, found: Result, peer: Peer, *, shipped: bool
    ) -> None:
        if (audit := self._plan.audit) is not None:
            audit.count(failure, record, self._target.key, shipped, found.failures, speaker.app, peer.app)

    @staticmethod
    def _asked(failure: Failure, record: Record, nanos: int) -> Asked:
        """What to ask about the other end, as the connection has it: where it is a tunnel, the tunnel's."""
        return asked_about(text(record, f"{_FAR_ENDS[failure.side]}.addr"), text(record, "start_time"), nanos)

    def _text(self, speaker: Speaker, record: Record, verdict: Failure, found: Result, peer: Peer) -> str:
        labels = speaker.labels.text(tuple([value(record, verdict, peer.fields) for value in self._values]))
        if speaker.labels.overflowed:
            found.overflowed.update(speaker.labels.overflowed)
            speaker.labels.overflowed.clear()
        return labels

    # -- who speaks

    def _speaker(self, failure: Failure, record: Record, at: int) -> Speaker:
        fields = self._fields("src" if failure.side == UPSTREAM else "dst", record, at)
        names = tuple(map(fields.get, self._names))
        speaker = self._speakers.get(names)
        if speaker is None:
            if len(self._speakers) >= self.CACHED:
                self._speakers.clear()
            speaker = self._speakers[names] = self._new_speaker(self._of_the_log | fields)
        self._latest = max(self._latest, at)
        self._used[speaker.workload] = self._latest
        return speaker

    def _new_speaker(self, fields: Mapping[str, str]) -> Speaker:
        labels = dict(target_labels(self._target.promoted, fields, self._constant.items()))
        workload, plan = label_text(labels), self._plan
        return Speaker(
            LabelSets(self._target.key, labels, plan.admission, workload),
            workload,
            (fields.get("namespace", ""), fields.get("app", "")),
            LineMetadata(plan.metadata, fields),
        )

    def _fields(self, end: str, record: Record, at: int) -> dict[str, str]:
        """What is known of this end, `src` or `dst`."""
        namespace, pod = text(record, f"{end}.namespace"), text(record, f"{end}.workload")
        if namespace and pod:
            return {"namespace": namespace, "pod": pod, "app": app_of(pod), **self._known_pod(namespace, pod, at)}
        known = self._known_address(without_port(text(record, f"{end}.addr")), at)
        return {"app": app_of(known["pod"]), **known} if "pod" in known else dict(known)

    def _known_pod(self, namespace: str, pod: str, at: int) -> Fields:
        if (workloads := self._plan.workloads) is None:
            return UNKNOWN
        return self._answered(f"{namespace}/{pod}", at, lambda: workloads.pod(namespace, pod, at))

    def _known_address(self, address: str, at: int) -> Fields:
        if (workloads := self._plan.workloads) is None or not address:
            return UNKNOWN
        return self._answered(address, at, lambda: workloads.address(address, at))

    def _answered(self, key: str, at: int, ask: Callable[[], Answer]) -> Fields:
        """What was answered once stays true; what was not is asked."""
        answers, target = self._plan.answers, self._target.key
        known = answers.find(target, key, at)
        return answers.add(target, key, at, ask()) if known is None else known

    # -- what is not needed any more

    def nothing_unsettled(self) -> None:
        """All lines that were read are settled: what was used long ago is not needed to read a line again."""
        if self._latest - self._forgot < OFTEN:
            return
        self._forgot = latest = self._latest
        self._plan.answers.settled(self._target.key, latest)
        for workload in list(self._plan.admission.workloads(self._target.key)):
            if self._used.setdefault(workload, latest) < latest - REMEMBERED:  # one that was restored is new
                self._plan.admission.release_workload(self._target.key, workload)
                del self._used[workload]
                self._speakers.clear()
