"""The reference: a log, read line by line.

`Reading` splits, joins and parses with the standard library, knows no literals and no blocks, and says what must come
out; `fed` says what did.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lab.label_text import parse
from shipper.model import Block, Target
from shipper.pipeline.failure import classify
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline, TargetPipeline
from shipper.pipeline.result import KEPT, TOO_LONG, Result
from shipper.pipeline.text_format import parse_text_line
from shipper.pipeline.ztunnel import classify as classify_ztunnel
from shipper.pipeline.ztunnel import is_access_log, parse_ztunnel_line, to_record

NAMES = {
    "response_flags": "response_flags",
    "termination_details": "connection_termination_details",
    "source_san": "downstream_peer_uri_san",
}
TARGET = Target(
    "shop_checkout-0_1/istio-proxy", {"node": "n1", "pod": "checkout-0", "zone": ""}, {"job": "mesh", "app": "checkout"}
)
FILE = object()
NOW = 1_800_000_000_000_000_000
MAX_LINE = 300  # the fully escaped are longer
TIME = b"2026-11-23T10:30:00.123456789Z"
NANOS = 1_795_429_800_123_456_789

Stored = dict[frozenset[tuple[str, str]], list[tuple[int, bytes]]]  # by labels: time and line, in order


def pipeline(rule: KeepRule = UT, *, metadata: Sequence[str] = ()) -> TargetPipeline:
    return Pipeline(rule, Admission(tuple(NAMES), 10_000, 10_000), metadata, MAX_LINE).open(TARGET)


def block(data: bytes, start: int = 0, too_long: int = 0) -> Block:
    return Block(FILE, start, memoryview(data), too_long)


def cri(content: bytes, tags: bytes = b"F", stream: bytes = b"stdout", time: bytes = TIME) -> bytes:
    return b" ".join((time, stream, tags, content))


def text(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


# What came out


@dataclass
class Sum:
    """All that a pipeline made of a log."""

    stored: Stored = field(default_factory=dict)
    lines: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        assert result.lines == result.kept + result.filtered.total() + result.dropped.total()
        assert all(count >= 0 for counts in (result.filtered, result.dropped) for count in counts.values())
        assert set(result.dropped) <= {TOO_LONG}
        self.lines += result.lines
        self.reasons += result.filtered + result.dropped
        for labels, entries in result.streams.items():
            into = self.stored.setdefault(frozenset(parse(labels).items()), [])
            into.extend((entry.nanos, entry.line) for entry in entries)


def fed(pipe: TargetPipeline, blocks: Iterable[bytes]) -> Sum:
    """What these blocks of one file came to; its end is the log's."""
    found, at = Sum(), 0
    for data in blocks:
        found.add(pipe.feed(block(data, at), NOW))
        at += len(data)
    found.add(pipe.flush(NOW))
    return found


def cut(lines: Sequence[bytes], at: Iterable[int]) -> list[bytes]:
    """The lines as blocks that end before these lines."""
    ends = [0, *sorted(set(at)), len(lines)]
    return [text(*lines[start:end]) for start, end in itertools.pairwise(ends)]


# The reference

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
PREFIX = re.compile(rb"([^ ]+) (stdout|stderr) ([FP])(?::[^ ]*)?(?: (.*))?", re.DOTALL)
COLOR = rb"\x1b\[[0-9;:]*m"
UNWANTED = "unwanted or unreadable"
OTHERWISE = ("no_match", "malformed", "text_unclear", "unknown_format")  # the last is told by a block's first lines
ZTUNNEL_LOG = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^\t ]*\t(?:error|warn|info|debug|trace)\taccess\t"
    rb"connection (?:complete|failed|opened)\t"
)
TEXT_LOG = re.compile(rb'\[[0-9]{4}-[0-9]{2}-[0-9]{2}T[^\] ]*\] "')


def nanos_of(time: str) -> int | None:
    """An RFC 3339 time, as `datetime` understands it once the fraction is taken out."""
    parts = re.fullmatch(r"([^.+Z]{19})(?:\.([0-9]+))?(Z|[+-].{5})", time)
    if parts is None:
        return None
    second = datetime.fromisoformat(parts[1] + parts[3].replace("Z", "+00:00"))
    return (second - EPOCH) // timedelta(seconds=1) * 10**9 + int((parts[2] or "").ljust(9, "0")[:9])


def no_constant(name: str) -> None:
    raise ValueError(name)


def parsed(content: bytes) -> dict[str, object] | None:
    """The record of JSON, or of Envoy's text."""
    if content.startswith(b"["):
        return parse_text_line(content)
    try:
        record: dict[str, object] | None = json.loads(content.decode(), parse_constant=no_constant)
    except ValueError:
        return None
    return record


def uncolored(content: bytes) -> bytes:
    """Without colours at its ends; blanks before them go only at the beginning."""
    while found := re.match(rb"[ \t]*" + COLOR + rb"[ \t]*", content):
        content = content[found.end() :]
    while found := re.fullmatch(rb"(.*)" + COLOR + rb"\s*", content, re.DOTALL):
        content = found[1]
    return content


class Reading:
    """Every line, one by one."""

    def __init__(self, rule: KeepRule, lines: Iterable[bytes]) -> None:
        self.rule, self.sum = rule, Sum()
        for time, content in self._whole(lines):
            self.sum.lines += 1
            reason = self._judge(time, content)
            if reason != KEPT:
                self.sum.reasons[reason] += 1

    def _whole(self, lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        waiting: dict[bytes, tuple[bytes, list[bytes]]] = {}
        for line in lines:
            prefix = None if re.match(rb"(?:[ \t]|" + COLOR + rb")*\{", line) else PREFIX.fullmatch(line)
            if prefix is None:
                yield b"", line
                continue
            time, stream, tag, content = prefix.groups(b"")
            if tag == b"F" and stream not in waiting:
                yield time, content
                continue
            first, parts = waiting.setdefault(stream, (time, []))
            parts.append(content)
            if tag == b"F":
                del waiting[stream]
                yield first, self._joined(parts)
        for first, parts in waiting.values():
            yield first, self._joined(parts)

    def _joined(self, parts: list[bytes]) -> bytes | None:
        whole = b"".join(parts)
        return None if len(whole) > MAX_LINE else whole

    def _judge(self, time: bytes, content: bytes | None) -> str:
        if content is None:
            return TOO_LONG
        content = uncolored(content)
        if not content.lstrip(b" \t").startswith(b"{"):
            if ZTUNNEL_LOG.match(content):
                return self._judge_of_ztunnel(time, content, parse_ztunnel_line(content))
            if not TEXT_LOG.match(content):
                return "not_json"
            if self.rule is not MTLS:
                return "text_format"
        record = parsed(content)
        if record is not None and is_access_log(record):
            return self._judge_of_ztunnel(time, content, record)
        if record is None or not self._is_wanted(record):
            return UNWANTED
        return self._store(time, content, record)

    def _judge_of_ztunnel(self, time: bytes, content: bytes, fields: dict[str, object] | None) -> str:
        if self.rule is not MTLS or fields is None or classify_ztunnel(fields) is None:
            return UNWANTED
        return self._store(time, content, to_record(fields))

    def _store(self, time: bytes, content: bytes, record: dict[str, object]) -> str:
        if len(content) > MAX_LINE:
            return TOO_LONG
        nanos = nanos_of(time.decode()) if time else nanos_of(str(record.get("start_time"))) or NOW
        if nanos is None:
            return UNWANTED
        self.sum.stored.setdefault(self._labels(record), []).append((nanos, content))
        return KEPT

    def _is_wanted(self, record: dict[str, object]) -> bool:
        if self.rule is MTLS:
            return classify(record) is not None
        flags = record.get("response_flags")
        return isinstance(flags, str) and "UT" in flags.split(",")

    def _labels(self, record: dict[str, object]) -> frozenset[tuple[str, str]]:
        values = {name: record.get(key) for name, key in NAMES.items()}
        said = {name: str(value) for name, value in values.items() if type(value) in (str, int)}
        own = TARGET.labels | {"service_name": "checkout"}
        return frozenset((own | {name: value for name, value in said.items() if value not in ("", "-")}).items())


def without_cause(found: Sum) -> Sum:
    """What cannot be read is only noticed where a literal stands in it, so these reasons are one to the reference."""
    reasons = found.reasons.copy()
    reasons[UNWANTED] = sum(reasons.pop(reason, 0) for reason in OTHERWISE)
    return Sum(found.stored, found.lines, +reasons)
