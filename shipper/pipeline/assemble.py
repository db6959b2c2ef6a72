"""One candidate to an entry: record, verdict, time, labels, metadata.

The dear part of a line that is kept, so that what many lines share is worked out once: the label text is looked up by
the raw values of the record.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter
from typing import Final

import orjson

from shipper.model import Kept, Target
from shipper.pipeline.audit import Audit, FailureKind
from shipper.pipeline.cri import PLAIN, parse_time, parse_times
from shipper.pipeline.failure import Failure, classify
from shipper.pipeline.keep import MTLS, TIMEOUT, Rule
from shipper.pipeline.labels import OVERFLOW, Admission, LabelSets
from shipper.pipeline.record import KEYS, Record, source_ip, text
from shipper.pipeline.scan import Scanner

KEPT = "kept"
# why a line is filtered
NOT_KEPT, NOT_JSON, TEXT_FORMAT, MALFORMED = "no_match", "not_json", "text_format", "malformed"
UNCLEAR = "text_unclear"  # a text access log that can be read in two ways: a client has made it so
TOO_LONG = "line_too_long"  # why it is dropped
FIELDS: Final = {*KEYS, "source_ip", "failure_reason", "side"}  # those of a line; others are the target's
TOGETHER: Final = 64  # lines: so few that their records stay in the processor's cache

_FIRST = itemgetter(0)
_BRACE = {b"{"[0]}

Plain = tuple[
    Sequence[int | None], Sequence[bytes], Sequence[str | None], Iterable[Failure | None], Sequence[dict[str, object]]
]


@dataclass(slots=True)
class Extract:
    """What a block came to: lines = kept + filtered + dropped."""

    lines: int = 0  # complete ones
    streams: dict[str, Kept] = field(default_factory=dict)  # by label text
    filtered: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    overflowed: Counter[str] = field(default_factory=Counter)  # kept ones that lost a label value, by label
    failures: Counter[FailureKind] = field(default_factory=Counter)  # failed handshakes, each connection once

    def stream(self, labels: str) -> Kept:
        """What is kept of the stream."""
        kept = self.streams.get(labels)
        if kept is None:
            kept = self.streams[labels] = Kept()
        return kept

    @property
    def kept(self) -> int:
        """Entries in all streams."""
        return sum(map(len, self.streams.values()))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to every candidate, as configured; `audit` is None where failures are not counted."""

    rule: Rule
    scanner: Scanner
    admission: Admission
    metadata: Sequence[str]
    max_line_size: int
    audit: Audit | None = None


class Assembler:
    """Makes entries of one target's candidates."""

    CACHED: Final = 1024  # label texts: hostile clients can make values up without end

    def __init__(self, plan: Plan, target: Target) -> None:
        self._judge, self._max, self._audit = plan.rule.judge, plan.max_line_size, plan.audit
        self._is_decided = bool(plan.rule.decided_by)  # by the values that the label text is looked up by
        self._finds_all = plan.rule is MTLS  # a failure that the rule does not keep is none
        self._target = target.key
        self._labels = LabelSets(target.key, target.labels, plan.admission)
        self._texts: dict[tuple[object, ...], str] = {}
        self._values = [getter(name) for name in plan.admission.names]
        keys = dict.fromkeys(plan.rule.decided_by)
        keys |= dict.fromkeys(KEYS.get(name, "downstream_remote_address") for name in plan.admission.names)
        self._keys = tuple(keys) if len(keys) > 1 else ("response_flags", *keys, "response_flags")
        self._raw = itemgetter(*self._keys)  # of two keys at least, so that it gives a tuple
        self._metadata = [(name, getter(name)) for name in plan.metadata if name in FIELDS]
        fields = target.fields
        self._own = [(name, fields[name]) for name in plan.metadata if name not in FIELDS and fields.get(name)]
        self._has_metadata = bool(plan.metadata)

    def take_lines(self, lines: Sequence[bytes], found: Extract, take_odd: Callable[[bytes], str]) -> Counter[str]:
        """Keep what is worth it of these lines; what became of the others, how many of each.

        In a storm of failures all lines come this way, and a step of Python's own costs as much as a call of C: so
        lines as containerd writes them, whose label text is known, go together, step by step for all of them. All
        others are `take_odd`'s; a few among many are found by halves.
        """
        outcomes: Counter[str] = Counter()
        together = 1 if self._has_metadata else TOGETHER
        for at in range(0, len(lines), together):
            self._take_together(lines[at : at + together], found, take_odd, outcomes)
        return outcomes

    def _take_together(
        self, lines: Sequence[bytes], found: Extract, take_odd: Callable[[bytes], str], outcomes: Counter[str]
    ) -> None:
        plain = None if self._has_metadata else self._plain(lines)
        if plain is None:
            if len(lines) == 1:
                outcomes[take_odd(lines[0])] += 1
                return
            for some in (lines[: len(lines) // 2], lines[len(lines) // 2 :]):
                self._take_together(some, found, take_odd, outcomes)
            return
        into: dict[str, tuple[Callable[[int], None], Callable[[bytes], None]]] = {}
        for line, nanos, content, labels, verdict, record in zip(lines, *plain, strict=True):
            if labels is None or nanos is None:
                outcomes[take_odd(line)] += 1
                continue
            if verdict is not None and verdict is not TIMEOUT and self._audit is not None:
                self._count(verdict, record, found)
            adders = into.get(labels)
            if adders is None:
                kept = found.stream(labels)
                adders = into[labels] = kept.times.append, kept.lines.append
            adders[0](nanos)
            adders[1](content)

    def _plain(self, lines: Sequence[bytes]) -> Plain | None:
        """Of each line its time, content, label text if that is known, verdict if it was needed for that, and record;
        None where any of the lines is odd."""
        times, _, contents = zip(*[line.partition(PLAIN) for line in lines], strict=True)
        try:
            records = list(map(orjson.loads, contents))
            try:
                raws: list[tuple[object, ...]] = list(map(self._raw, records))
            except KeyError:
                raws = [tuple(map(record.get, self._keys)) for record in records]
            verdicts: Iterable[Failure | None] = repeat(None, len(lines))
            if not self._is_decided:
                verdicts = list(map(self._judge, records))
                raws = list(zip(verdicts, raws, strict=True))
            labels = list(map(self._texts.get, raws))
        except (ValueError, TypeError, AttributeError):  # no JSON, no object, or a value that is one
            return None
        if max(map(len, contents)) > self._max or set(map(_FIRST, contents)) != _BRACE:
            return None
        return parse_times(times), contents, labels, verdicts, records

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
        beside = self._beside(record, verdict) if self._has_metadata else ()
        found.stream(self._text(verdict, record, found)).add(nanos, content, beside)
        return KEPT

    def _count(self, verdict: Failure | None, record: Record, found: Extract) -> None:
        """Failed handshakes, shipped or not: what the rule does not keep is seen all the same."""
        if verdict is TIMEOUT:
            return
        failure = verdict if verdict or self._finds_all else classify(record)
        if failure is not None and self._audit is not None:
            self._audit.count(failure, record, self._target, verdict is not None, found.failures)

    def _text(self, verdict: Failure, record: Record, found: Extract) -> str:
        values = tuple(map(record.get, self._keys))
        raw = values if self._is_decided else (verdict, values)
        try:
            known = self._texts.get(raw)
        except TypeError:  # a value is a list or an object
            known = None
        if known is not None:
            return known
        label_text = self._labels.text(tuple([value(record, verdict) for value in self._values]))
        if self._labels.overflowed:
            found.overflowed.update(self._labels.overflowed)
            self._labels.overflowed.clear()
        # 1, 1.0 and true are one key and three texts; those that overflow are counted line by line.
        if OVERFLOW not in label_text and all(value is None or type(value) is str for value in values):
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


def getter(field: str) -> Callable[[Record, Failure], str]:
    """How a field's value is had from a record and the verdict on it."""
    if field in KEYS:
        return lambda record, _, key=KEYS[field]: text(record, key)  # type: ignore[misc]
    if field == "source_ip":
        return lambda record, _: source_ip(record)
    if field == "failure_reason":
        return lambda _, verdict: verdict.reason
    return lambda _, verdict: verdict.side
