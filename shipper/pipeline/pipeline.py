"""The stages in order: a block of raw lines to the entries worth sending.

scan, cri (partial), record, keep, labels. Pure: what is read comes in, values go out; no I/O, no clock.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from stringzilla import count

from shipper.model import Block, Entry, Target
from shipper.pipeline.cri import JSON_LINE, TEXT_ACCESS_LOG, parse_time, split_line
from shipper.pipeline.failure import Failure
from shipper.pipeline.keep import Rule
from shipper.pipeline.labels import Admission, LabelSets
from shipper.pipeline.partial import Joiner, LogicalLine
from shipper.pipeline.record import KEYS, Record, parse_record, source_ip, text
from shipper.pipeline.scan import candidates, count_lines

KEPT = "kept"
# why a line is filtered
NOT_KEPT, NOT_JSON, TEXT_FORMAT, MALFORMED = "no_match", "not_json", "text_format", "malformed"
TOO_LONG = "line_too_long"  # why it is dropped
FIELDS = {*KEYS, "source_ip", "failure_reason", "side"}  # those of a line; others are the target's


@dataclass(slots=True)
class Extract:
    """What a block came to: lines = kept + filtered + dropped."""

    lines: int = 0  # complete ones
    streams: dict[str, list[Entry]] = field(default_factory=dict)  # kept entries by label text
    filtered: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    overflowed: Counter[str] = field(default_factory=Counter)  # kept ones that lost a label value, by label

    @property
    def kept(self) -> int:
        """Entries in all streams."""
        return sum(map(len, self.streams.values()))


class Pipeline:
    """What is done to every line, as configured."""

    def __init__(self, rule: Rule, admission: Admission, metadata: Sequence[str], max_line_size: int) -> None:
        self.rule, self.admission, self.max_line_size = rule, admission, max_line_size
        self.values = [getter(name) for name in admission.names]
        self.metadata = [(name, getter(name)) for name in metadata if name in FIELDS]
        self.target_metadata = [name for name in metadata if name not in FIELDS]

    def open(self, target: Target) -> "TargetPipeline":
        """The pipeline of one target: its labels, and its lines in pieces."""
        return TargetPipeline(self, target)


class TargetPipeline:
    """The stages, for the lines of one target."""

    def __init__(self, shared: Pipeline, target: Target) -> None:
        self._shared, self._rule = shared, shared.rule
        self._labels = LabelSets(target.key, target.labels, shared.admission)
        fields = target.fields
        self._own_metadata = [(name, fields[name]) for name in shared.target_metadata if fields.get(name)]
        self.joiner = Joiner(shared.max_line_size)

    def feed(self, block: Block, now: int) -> Extract:
        """The block's entries; `now` is the time in nanoseconds for a line that tells none."""
        data, found = block.data, Extract(lines=block.too_long)
        if block.too_long:
            found.dropped[TOO_LONG] += block.too_long
        if not data:
            return found
        if self.joiner or count(data, b" stdout P") or count(data, b" stderr P"):
            for line in self._join(block, found):
                self._take(line, found, now)
        else:
            self._take_candidates(data, found, now)
        self._note_overflows(found)
        return found

    def flush(self, now: int) -> Extract:
        """The log has ended: pieces whose rest has not come are lines now."""
        found = Extract()
        for line in self.joiner.flush():
            found.lines += 1
            self._take(line, found, now)
        self._note_overflows(found)
        return found

    # -- a block of whole lines: only candidates are looked at

    def _take_candidates(self, data: memoryview, found: Extract, now: int) -> None:
        lines = count_lines(data)
        outcomes: Counter[str] = Counter()
        for start, end in candidates(data, self._rule.literals):
            parts = split_line(bytes(data[start:end]))
            if parts is not None and is_json(parts.content):
                outcomes[self._keep(parts.time, parts.content, found, now)] += 1
        json_lines = count(data, b" F {")
        if json_lines != lines:  # something else is among them
            json_lines, text_lines = _matches(JSON_LINE, data), _matches(TEXT_ACCESS_LOG, data)
            found.filtered[TEXT_FORMAT] += text_lines
            found.filtered[NOT_JSON] += lines - json_lines - text_lines
        found.lines += lines
        found.dropped[TOO_LONG] += outcomes[TOO_LONG]
        found.filtered[MALFORMED] += outcomes[MALFORMED]
        found.filtered[NOT_KEPT] += json_lines - outcomes[KEPT] - outcomes[TOO_LONG] - outcomes[MALFORMED]

    # -- a block with lines in pieces: every line is looked at

    def _join(self, block: Block, found: Extract) -> Iterator[LogicalLine]:
        at = block.start
        for raw in bytes(block.data[:-1]).split(b"\n"):
            parts = split_line(raw)
            if parts is None:
                line: LogicalLine | None = LogicalLine(b"", raw)
            elif parts.stream:
                line = self.joiner.add(parts, block.file, at)
            else:
                line = LogicalLine(b"", parts.content)
            at += len(raw) + 1
            if line is not None:
                found.lines += 1
                yield line

    def _take(self, line: LogicalLine, found: Extract, now: int) -> None:
        content = line.content
        if content is None:
            outcome = TOO_LONG
        elif not is_json(content):
            outcome = TEXT_FORMAT if TEXT_ACCESS_LOG.match(content) else NOT_JSON
        elif not any(literal in content for literal in self._rule.literals):
            outcome = NOT_KEPT
        else:
            outcome = self._keep(line.time, content, found, now)
        if outcome == TOO_LONG:
            found.dropped[outcome] += 1
        elif outcome != KEPT:
            found.filtered[outcome] += 1

    # -- one candidate

    def _keep(self, time: bytes, content: bytes, found: Extract, now: int) -> str:
        """What becomes of it: kept, and then it is among the entries, or why not."""
        if len(content) > self._shared.max_line_size:
            return TOO_LONG
        record = parse_record(content)
        if record is None:
            return MALFORMED
        verdict = self._rule.judge(record)
        if verdict is None:
            return NOT_KEPT
        nanos = parse_time(time) if time else own_time(record, now)
        if nanos is None:
            return MALFORMED
        values = tuple([value(record, verdict) for value in self._shared.values])
        entry = Entry(nanos, content, self._metadata(record, verdict) if self._shared.metadata else ())
        found.streams.setdefault(self._labels.text(values), []).append(entry)
        return KEPT

    def _metadata(self, record: Record, verdict: Failure) -> tuple[tuple[str, str], ...]:
        line = [(name, value) for name, get in self._shared.metadata if (value := get(record, verdict))]
        return (*self._own_metadata, *line)

    def _note_overflows(self, found: Extract) -> None:
        if self._labels.overflowed:
            found.overflowed, self._labels.overflowed = self._labels.overflowed, Counter()


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


def _matches(pattern: re.Pattern[bytes], data: memoryview) -> int:
    return sum(1 for _ in pattern.finditer(data))
