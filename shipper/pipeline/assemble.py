"""One candidate to an entry: record, verdict, time, labels, metadata.

This is the expensive part of a kept line. Lines share their labels, so the label text is looked up by the raw values
of the record and made only once for each set of values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import orjson

from shipper.fields import KEYS
from shipper.model import Target
from shipper.pipeline.answers import Answers
from shipper.pipeline.audit import Audit
from shipper.pipeline.failure import TIMEOUT, Failure
from shipper.pipeline.gateways import is_gateway
from shipper.pipeline.keep import MTLS, KeepRule
from shipper.pipeline.labels import OVERFLOW, Admission, LabelSets
from shipper.pipeline.line_fields import LineMetadata, getter
from shipper.pipeline.peers import NO_PEER, Asked, Peer, PeerRule, TargetPeers, asked_of
from shipper.pipeline.record import Loads, Record, text
from shipper.pipeline.result import KEPT, MALFORMED, NOT_KEPT, TOO_LONG, Result, Unanswered
from shipper.pipeline.scan import Scanner
from shipper.pipeline.workloads import FOREVER, Workloads
from shipper.times import parse_time


@dataclass(frozen=True, slots=True)
class Plan:
    """How candidates are processed, as configured; `audit` is None where failures are not counted."""

    rule: KeepRule
    scanner: Scanner
    admission: Admission
    metadata: Sequence[str]
    max_line_size: int
    audit: Audit | None = None
    loads: Loads = orjson.loads  # the keys may have other names
    workloads: Workloads | None = None  # who knows the pods that a log of many pods speaks for; None: nobody
    answers: Answers = field(default_factory=Answers)  # what it has answered, or the next
    peers: PeerRule | None = None  # who knows whose an address was; None: no line has a peer


_OVERHEAD: Final = 2304  # bytes of a line that is not finished, beside its text and the record made of it


class Assembler:
    """Makes entries of one target's candidates."""

    CACHED: Final = 1024  # label texts: a hostile client can send new values without end

    def __init__(self, plan: Plan, target: Target, peers: TargetPeers | None = None) -> None:
        is_from_gateway = is_gateway(target.fields)
        self.judge = plan.rule.judge_for(is_gateway=is_from_gateway)
        self._find = MTLS.judge_for(is_gateway=is_from_gateway)
        self._max, self._audit = plan.max_line_size, plan.audit
        # the values that the label text is looked up by decide: of these lines none has a peer but timeouts
        self.is_decided = bool(plan.rule.decided_by) and (peers is None or not peers.has(TIMEOUT))
        self.peers, self._glimpsed = None if self.is_decided else peers, peers
        self._finds_all = plan.rule is MTLS  # `mtls` keeps every failure, so no second classification is needed
        self._target = target.key
        self._labels = LabelSets(target.key, target.labels, plan.admission)
        self._values = [getter(name) for name in plan.admission.names]
        keys = dict.fromkeys(plan.rule.decided_by)
        keys |= dict.fromkeys(KEYS[name] for name in plan.admission.names if name in KEYS)
        # `itemgetter` returns a tuple only for two or more keys.
        self.keys = (*keys, *("response_flags",) * (2 - len(keys)))
        self.texts: dict[tuple[object, ...], str] = {}  # label texts, by verdict and values
        self.metadata = LineMetadata(plan.metadata, target.fields)

    def take(self, time: bytes, content: bytes, record: Record | None, found: Result, now: int) -> str:
        """Add the line to the result if it is kept; returns its reason: KEPT, or why it is filtered or dropped."""
        if record is None:
            return MALFORMED
        verdict = self.judge(record)
        if verdict is None:
            self.count(verdict, record, found)
            return NOT_KEPT
        nanos = None
        if (is_too_long := len(content) > self._max) or (
            nanos := parse_time(time) if time else own_time(record, now)
        ) is None:
            self.count(verdict, record, found)
            return TOO_LONG if is_too_long else MALFORMED
        if (peers := self.peers) is None:
            self._finish(verdict, record, nanos, content, NO_PEER, found)
            return KEPT
        asked = asked_of(verdict, record, nanos) if peers.has(verdict) else None
        finish = partial(self._finish, verdict, record, nanos, content)
        take_named(peers, asked, content, finish, found)
        return KEPT

    def _finish(self, verdict: Failure, record: Record, nanos: int, content: bytes, peer: Peer, found: Result) -> None:
        found.name(peer)
        self.count(verdict, record, found, peer)
        metadata = self.metadata.of(record, verdict, peer.fields)
        found.stream(self._text(verdict, record, found, peer)).add(nanos, content, metadata)

    def count(self, verdict: Failure | None, record: Record, found: Result, peer: Peer | None = None) -> None:
        """Count a failed handshake, also one that the rule does not keep; `peer`: of one that is kept."""
        if verdict is TIMEOUT or self._audit is None:
            return
        failure = verdict if verdict or self._finds_all else self._find(record)
        if failure is None:
            return
        if peer is None:
            peer = NO_PEER if self._glimpsed is None else self._glimpsed.glimpse(asked_of(failure, record, FOREVER))
        self._audit.count(failure, record, self._target, verdict is not None, found.failures, None, peer.app)

    def count_many(
        self, judged: Sequence[tuple[Failure | None, Record]], peers: Sequence[Peer | None], found: Result
    ) -> None:
        """The same for lines that are kept, and each one's peer."""
        if self.peers is not None:
            counts = found.peers
            for peer in peers:
                if peer is not None and peer is not NO_PEER:
                    counts[peer.counted] += 1
        if self._audit is not None:
            self._audit.count_many(judged, peers, self._target, found.failures)

    def _text(self, verdict: Failure, record: Record, found: Result, peer: Peer) -> str:
        values = tuple(map(record.get, self.keys))
        raw = values if self.is_decided else (verdict, values) if self.peers is None else (verdict, values, peer.labels)
        try:
            known = self.texts.get(raw)
        except TypeError:  # a value is a list or an object
            known = None
        if known is not None:
            return known
        label_text = self._labels.text(tuple([value(record, verdict, peer.fields) for value in self._values]))
        if self._labels.overflowed:
            found.overflowed.update(self._labels.overflowed)
            self._labels.overflowed.clear()
        # 1, 1.0 and true are equal as keys and differ as text. Lines that overflow are counted one by one.
        if OVERFLOW not in label_text and all(value is None or type(value) is str for value in values):
            if len(self.texts) >= self.CACHED:
                self.texts.clear()
            self.texts[raw] = label_text
        return label_text


def take_named(
    peers: TargetPeers, asked: Asked | None, content: bytes, finish: Callable[[Peer, Result], None], found: Result
) -> None:
    """Finish a kept line, or leave it unanswered; `asked`: about its peer, None where it has none."""
    peer = NO_PEER if asked is None else peers.find(asked)
    if peer is None or found.unanswered:  # each stream keeps the order of the log
        memory = _OVERHEAD + 2 * len(content)
        found.unanswered.append(Unanswered(asked or Asked("", 0), peer, memory, finish))
    else:
        finish(peer, found)


def is_json(content: bytes) -> bool:
    """Whether it looks like a JSON object, perhaps after blanks."""
    return content[:1] == b"{" or content.lstrip(b" \t")[:1] == b"{"


def own_time(record: Record, now: int) -> int:
    """The time of a line without a CRI prefix: the access log's, else the time of reading."""
    nanos = parse_time(text(record, "start_time").encode(errors="replace"))
    return now if nanos is None else nanos
