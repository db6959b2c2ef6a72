"""The stages in order: a block of raw lines to the entries worth sending.

scan, cri (partial), record or text_format, keep (failure), labels. Pure: what is read comes in, values go out; no I/O,
no clock.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from stringzilla import count, find

from shipper.model import Block, Target
from shipper.pipeline.assemble import (
    KEPT,
    MALFORMED,
    NOT_JSON,
    NOT_KEPT,
    TEXT_FORMAT,
    TOO_LONG,
    Assembler,
    Extract,
    Plan,
    is_json,
)
from shipper.pipeline.audit import Audit
from shipper.pipeline.cri import JSON_LINE, TEXT_CONTENT, TEXT_LINE, TEXT_SIGN, split_line
from shipper.pipeline.keep import MTLS, Rule
from shipper.pipeline.labels import Admission
from shipper.pipeline.partial import Joiner, LogicalLine
from shipper.pipeline.record import parse_record
from shipper.pipeline.scan import candidates, count_lines
from shipper.pipeline.text_format import literals, parse_text_line

# What a failed handshake holds as Envoy writes it now: enough to count, where `MTLS.literals` must be sound.
COUNTED: Final = (b"TLS_error:", b"socket timeout", b'"NR', b",NR")
UNCLEAR = "text_unclear"  # a text access log that can be read in two ways: a client has made it so


class Pipeline:
    """What is done to every line, as configured; without an `audit` failed handshakes are not counted."""

    def __init__(
        self,
        rule: Rule,
        admission: Admission,
        metadata: Sequence[str],
        max_line_size: int,
        audit: Audit | None = None,
    ) -> None:
        self.admission = admission
        self._plan = Plan(rule, admission, metadata, max_line_size, audit)

    def open(self, target: Target) -> "TargetPipeline":
        """The pipeline of one target: its labels, and its lines in pieces."""
        return TargetPipeline(self._plan, target)


class TargetPipeline:
    """The stages, for the lines of one target."""

    def __init__(self, plan: Plan, target: Target) -> None:
        rule = plan.rule
        self._literals = rule.literals
        if plan.audit is not None and rule is not MTLS:  # what is not kept is counted all the same
            self._literals = tuple(dict.fromkeys((*rule.literals, *COUNTED)))
        self._text_literals = literals(rule.literals) if rule is MTLS else ()
        self._assembler = Assembler(plan, target)
        self.joiner = Joiner(plan.max_line_size)

    def feed(self, block: Block, now: int) -> Extract:
        """The block's entries; `now` is the time in nanoseconds for a line that tells none."""
        data, found = block.data, Extract(lines=block.too_long)
        if block.too_long:
            found.dropped[TOO_LONG] += block.too_long
        if not data:
            return found
        kinds = self._kinds(data)
        if kinds is None:
            for line in self._join(block, found):
                note(self._take(line.time, line.content, found, now), found)
        else:
            self._take_candidates(data, kinds, found, now)
        return found

    def flush(self, now: int) -> Extract:
        """The log has ended: pieces whose rest has not come are lines now."""
        found = Extract()
        for line in self.joiner.flush():
            found.lines += 1
            note(self._take(line.time, line.content, found, now), found)
        return found

    def _kinds(self, data: memoryview) -> tuple[int, int, int] | None:
        """How many lines there are, of JSON and of Envoy's text format among them; None where each must be looked at.

        A ` F {` elsewhere in a line can hide one that is not JSON among those not kept, never an entry: to look at
        every line costs half the speed. So where text may be kept, its sign is looked for: a client could write the
        other into its own line.
        """
        if self.joiner or count(data, b" stdout P") or count(data, b" stderr P"):
            return None
        lines, json, texts = count_lines(data), count(data, b" F {"), 0
        may_hold_text = bool(self._text_literals) and find(data, TEXT_SIGN) >= 0
        if json != lines or may_hold_text:  # something else is among them
            json, texts = _matches(JSON_LINE, data), _matches(TEXT_LINE, data)
        if texts and any(find(data, literal) >= 0 for literal in self._text_literals):
            return None
        return lines, json, texts

    # -- a block of whole lines: only candidates are looked at

    def _take_candidates(self, data: memoryview, kinds: tuple[int, int, int], found: Extract, now: int) -> None:
        lines, json, texts = kinds
        outcomes = self._assembler.take_lines(candidates(data, self._literals), found, now)
        found.lines += lines
        found.filtered[NOT_JSON] += lines - json - texts
        found.filtered[NOT_KEPT if self._text_literals else TEXT_FORMAT] += texts
        found.filtered[MALFORMED] += outcomes[MALFORMED]
        found.filtered[NOT_KEPT] += json - outcomes[KEPT] - outcomes[TOO_LONG] - outcomes[MALFORMED]
        if outcomes[TOO_LONG]:
            found.dropped[TOO_LONG] += outcomes[TOO_LONG]

    # -- a block with lines in pieces, or in text that may be kept: every line is looked at

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

    def _take(self, time: bytes, content: bytes | None, found: Extract, now: int) -> str:
        if content is None:
            return TOO_LONG
        if not is_json(content):
            return self._take_text(time, content, found, now) if TEXT_CONTENT.match(content) else NOT_JSON
        if not any(literal in content for literal in self._literals):
            return NOT_KEPT
        return self._assembler.take(time, content, parse_record(content), found, now)

    def _take_text(self, time: bytes, content: bytes, found: Extract, now: int) -> str:
        if not self._text_literals:
            return TEXT_FORMAT
        if not any(literal in content for literal in self._text_literals):
            return NOT_KEPT
        record = parse_text_line(content)
        return UNCLEAR if record is None else self._assembler.take(time, content, record, found, now)


def note(outcome: str, found: Extract) -> None:
    """Count a line by what became of it."""
    if outcome == TOO_LONG:
        found.dropped[outcome] += 1
    elif outcome != KEPT:
        found.filtered[outcome] += 1


def _matches(pattern: re.Pattern[bytes], data: memoryview) -> int:
    return sum(1 for _ in pattern.finditer(data))
