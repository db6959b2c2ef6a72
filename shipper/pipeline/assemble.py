"""One candidate to an entry: record, verdict, time, labels, metadata.

The dear part of a line that is kept, so that what many lines share is worked out once: the label text is looked up by
the raw values of the record.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from shipper.model import Entry, Target
from shipper.pipeline.audit import Audit, FailureKind
from shipper.pipeline.cri import STREAMS, parse_time, split_line
from shipper.pipeline.failure import Failure, classify
from shipper.pipeline.keep import MTLS, TIMEOUT, Rule
from shipper.pipeline.labels import OVERFLOW, Admission, LabelSets
from shipper.pipeline.record import KEYS, Record, parse_record, source_ip, text

KEPT = "kept"
# why a line is filtered
NOT_KEPT, NOT_JSON, TEXT_FORMAT, MALFORMED = "no_match", "not_json", "text_format", "malformed"
TOO_LONG = "line_too_long"  # why it is dropped
FIELDS: Final = {*KEYS, "source_ip", "failure_reason", "side"}  # those of a line; others are the target's


@dataclass(slots=True)
class Extract:
    """What a block came to: lines = kept + filtered + dropped."""

    lines: int = 0  # complete ones
    streams: dict[str, list[Entry]] = field(default_factory=dict)  # kept entries by label text
    filtered: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    overflowed: Counter[str] = field(default_factory=Counter)  # kept ones that lost a label value, by label
    failures: Counter[FailureKind] = field(default_factory=Counter)  # failed handshakes, each connection once

    @property
    def kept(self) -> int:
        """Entries in all streams."""
        return sum(map(len, self.streams.values()))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to every candidate, as configured; `audit` is None where failures are not counted."""

    rule: Rule
    admission: Admission
    metadata: Sequence[str]
    max_line_size: int
    audit: Audit | None = None


class Assembler:
    """Makes entries of one target's candidates."""

    CACHED: Final = 1024  # label texts: hostile clients can make values up without end

    def __init__(self, plan: Plan, target: Target) -> None:
        self._judge, self._max, self._audit = plan.rule.judge, plan.max_line_size, plan.audit
        self._finds_all = plan.rule is MTLS  # a failure that the rule does not keep is none
        self._target = target.key
        self._labels = LabelSets(target.key, target.labels, plan.admission)
        self._texts: dict[tuple[object, ...], str] = {}
        self._values = [getter(name) for name in plan.admission.names]
        self._keys = [KEYS.get(name, "downstream_remote_address") for name in plan.admission.names]
        self._metadata = [(name, getter(name)) for name in plan.metadata if name in FIELDS]
        fields = target.fields
        self._own = [(name, fields[name]) for name in plan.metadata if name not in FIELDS and fields.get(name)]
        self._has_metadata = bool(plan.metadata)

    def take_lines(self, lines: Iterable[bytes], found: Extract, now: int) -> dict[str, int]:
        """What becomes of these candidates, how many of each; those that are not JSON are passed over.

        In a storm of failures all lines come this way, and a call costs as much as a step: so `take` stands here
        once more, flat, for lines as containerd writes them whose label text is known. All others go the long way.
        """
        outcomes = dict.fromkeys((KEPT, NOT_KEPT, TOO_LONG, MALFORMED), 0)
        judge, texts, keys, streams, longest = self._judge, self._texts, self._keys, found.streams, self._max
        for line in lines:
            parts = line.split(b" ", 3)
            is_plain = len(parts) == 4 and parts[2] == b"F" and parts[1] in STREAMS and parts[3][:1] == b"{"
            if not is_plain or (nanos := parse_time(parts[0])) is None:
                if (odd := split_line(line)) is not None and is_json(odd.content):
                    outcomes[self.take(odd.time, odd.content, parse_record(odd.content), found, now)] += 1
                continue
            content = parts[3]
            record, labels = parse_record(content), None
            if record is None:
                outcomes[MALFORMED] += 1
                continue
            if not self._has_metadata and (verdict := judge(record)) is not None:
                try:
                    labels = texts.get((verdict, *map(record.get, keys)))
                except TypeError:  # a value is a list or an object
                    pass
            if labels is None or len(content) > longest:
                outcomes[self.take(parts[0], content, record, found, now)] += 1
                continue
            if self._audit is not None and verdict is not TIMEOUT:
                self._count(verdict, record, found)
            if labels in streams:
                streams[labels].append(Entry(nanos, content))
            else:
                streams[labels] = [Entry(nanos, content)]
            outcomes[KEPT] += 1
        return outcomes

    def take(self, time: bytes, content: bytes, record: Record | None, found: Extract, now: int) -> str:
        """What becomes of the line: kept, and then it is among the entries, or why not."""
        if record is None:
            return MALFORMED
        verdict = self._judge(record)
        if self._audit is not None:
            self._count(verdict, record, found)
        if verdict is None:
            return NOT_KEPT
        if len(content) > self._max:
            return TOO_LONG
        nanos = parse_time(time) if time else own_time(record, now)
        if nanos is None:
            return MALFORMED
        labels = self._text(verdict, record, found)
        entry = Entry(nanos, content, self._beside(record, verdict) if self._has_metadata else ())
        stream = found.streams.get(labels)
        if stream is None:
            found.streams[labels] = [entry]
        else:
            stream.append(entry)
        return KEPT

    def _count(self, verdict: Failure | None, record: Record, found: Extract) -> None:
        """Failed handshakes, shipped or not: what the rule does not keep is seen all the same."""
        if verdict is TIMEOUT:
            return
        failure = verdict if verdict or self._finds_all else classify(record)
        if failure is not None and self._audit is not None:
            self._audit.count(failure, record, self._target, verdict is not None, found.failures)

    def _text(self, verdict: Failure, record: Record, found: Extract) -> str:
        raw = (verdict, *map(record.get, self._keys))
        try:
            known = self._texts.get(raw)
        except TypeError:  # a value is a list or an object
            known, raw = None, ()
        if known is not None:
            return known
        label_text = self._labels.text(tuple([value(record, verdict) for value in self._values]))
        if self._labels.overflowed:
            found.overflowed.update(self._labels.overflowed)
            self._labels.overflowed.clear()
        # 1, 1.0 and true are one key and three texts; those that overflow are counted line by line.
        if OVERFLOW not in label_text and all(value is None or type(value) is str for value in raw[1:]):
            if len(self._texts) >= self.CACHED:
                self._texts.clear()
            self._texts[raw] = label_text
        return label_text

    def _beside(self, record: Record, verdict: Failure) -> tuple[tuple[str, str], ...]:
        line = [(name, value) for name, get in self._metadata if (value := get(record, verdict))]
        return (*self._own, *line)


def is_json(content: bytes) -> bool:
    """Whether it looks like a JSON object; blanks may stand before it."""
    return content[:1] == b"{" or content.lstrip(b" \t")[:1] == b"{"


def own_time(record: Record, now: int) -> int:
    """The time of a line without a CRI prefix: the access log's, else that of reading."""
    nanos = parse_time(text(record, "start_time").encode(errors="replace"))
    return now if nanos is None else nanos


@cache  # all targets share them
def getter(field: str) -> Callable[[Record, Failure], str]:
    """How a field's value is had from a record and the verdict on it."""
    if field in KEYS:
        return lambda record, _, key=KEYS[field]: text(record, key)  # type: ignore[misc]
    if field == "source_ip":
        return lambda record, _: source_ip(record)
    if field == "failure_reason":
        return lambda _, verdict: verdict.reason
    return lambda _, verdict: verdict.side
