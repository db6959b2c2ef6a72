"""One candidate to an entry: record, verdict, time, labels, metadata.

This is the expensive part of a kept line. Lines share their labels, so the label text is looked up by the raw values
of the record and made only once for each set of values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from shipper.pipeline.record import Loads, Record, text
from shipper.pipeline.result import KEPT, MALFORMED, NOT_KEPT, TOO_LONG, Result
from shipper.pipeline.scan import Scanner
from shipper.pipeline.workloads import Workloads
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
    answers: Answers = field(default_factory=Answers)  # what it has answered


class Assembler:
    """Makes entries of one target's candidates."""

    CACHED: Final = 1024  # label texts: a hostile client can send new values without end

    def __init__(self, plan: Plan, target: Target) -> None:
        is_from_gateway = is_gateway(target.fields)
        self.judge = plan.rule.judge_for(is_gateway=is_from_gateway)
        self._find = MTLS.judge_for(is_gateway=is_from_gateway)
        self._max, self._audit = plan.max_line_size, plan.audit
        self._is_decided = bool(plan.rule.decided_by)  # the values that the label text is looked up by decide
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
        self.count(verdict, record, found)
        if verdict is None:
            return NOT_KEPT
        if len(content) > self._max:
            return TOO_LONG
        nanos = parse_time(time) if time else own_time(record, now)
        if nanos is None:
            return MALFORMED
        found.stream(self._text(verdict, record, found)).add(nanos, content, self.metadata.of(record, verdict))
        return KEPT

    def count(self, verdict: Failure | None, record: Record, found: Result) -> None:
        """Count a failed handshake, also one that the rule does not keep."""
        if verdict is TIMEOUT or self._audit is None:
            return
        failure = verdict if verdict or self._finds_all else self._find(record)
        if failure is not None:
            self._audit.count(failure, record, self._target, verdict is not None, found.failures)

    def _text(self, verdict: Failure, record: Record, found: Result) -> str:
        values = tuple(map(record.get, self.keys))
        raw = values if self._is_decided else (verdict, values)
        try:
            known = self.texts.get(raw)
        except TypeError:  # a value is a list or an object
            known = None
        if known is not None:
            return known
        label_text = self._labels.text(tuple([value(record, verdict) for value in self._values]))
        if self._labels.overflowed:
            found.overflowed.update(self._labels.overflowed)
            self._labels.overflowed.clear()
        # 1, 1.0 and true are equal as keys and differ as text. Lines that overflow are counted one by one.
        if OVERFLOW not in label_text and all(value is None or type(value) is str for value in values):
            if len(self.texts) >= self.CACHED:
                self.texts.clear()
            self.texts[raw] = label_text
        return label_text


def is_json(content: bytes) -> bool:
    """Whether it looks like a JSON object, perhaps after blanks."""
    return content[:1] == b"{" or content.lstrip(b" \t")[:1] == b"{"


def own_time(record: Record, now: int) -> int:
    """The time of a line without a CRI prefix: the access log's, else the time of reading."""
    nanos = parse_time(text(record, "start_time").encode(errors="replace"))
    return now if nanos is None else nanos
