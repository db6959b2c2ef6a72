"""The stages in order: a block of raw lines to entries.

scan, cri (partial), record, text_format or ztunnel, keep (failure), labels. Pure: bytes and the time come in, values
go out.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import orjson

from shipper.model import Block, Target
from shipper.pipeline.ambient import Ambient
from shipper.pipeline.answers import Answers
from shipper.pipeline.assemble import Assembler, Plan, is_json
from shipper.pipeline.audit import Audit
from shipper.pipeline.bulk import BulkPath
from shipper.pipeline.cri import TEXT_CONTENT, ZTUNNEL_CONTENT, split_line, without_colors
from shipper.pipeline.enclosed import enclosed
from shipper.pipeline.keep import MTLS, KeepRule
from shipper.pipeline.kinds import kinds_of
from shipper.pipeline.known_format import KnownFormat
from shipper.pipeline.labels import Admission
from shipper.pipeline.partial import Joiner, LogicalLine
from shipper.pipeline.peers import NO_PEER, PeerRule, TargetPeers
from shipper.pipeline.record import Loads, parse_record
from shipper.pipeline.result import (
    MALFORMED,
    NOT_JSON,
    NOT_KEPT,
    TEXT_FORMAT,
    TOO_LONG,
    UNCLEAR,
    UNKNOWN_FORMAT,
    Result,
)
from shipper.pipeline.scan import Scanner, lines_at
from shipper.pipeline.text_format import parse_text_line
from shipper.pipeline.workloads import Workloads
from shipper.pipeline.ztunnel import is_access_log, parse_ztunnel_line


class Pipeline:
    """The stages as configured; without an `audit` failed handshakes are not counted."""

    def __init__(
        self,
        rule: KeepRule,
        admission: Admission,
        metadata: Sequence[str],
        max_line_size: int,
        audit: Audit | None = None,
        loads: Loads = orjson.loads,
        workloads: Workloads | None = None,
        peers: PeerRule | None = None,
    ) -> None:
        self.admission = admission
        patterns = MTLS.patterns if audit is not None else rule.patterns  # failures that are not kept are counted too
        self._plan = Plan(
            rule, Scanner(patterns), admission, metadata, max_line_size, audit, loads, workloads, peers=peers
        )

    def open(self, target: Target) -> "TargetPipeline":
        """The pipeline of one target: its labels, and its partial lines."""
        return TargetPipeline(self._plan, target)

    @property
    def answers(self) -> Answers:
        """What was answered about the workloads that lines speak for, and about their peers."""
        return self._plan.answers

    def release(self, target: str) -> None:
        """This target is gone: forget what its labels depended on."""
        self.admission.release(target)
        self.answers.release(target)


class TargetPipeline:
    """The stages, for the lines of one target."""

    def __init__(self, plan: Plan, target: Target) -> None:
        self._scanner, self._keeps_text = plan.scanner, plan.rule is MTLS
        rule, names = plan.peers, plan.admission.names
        self._peers = peers = TargetPeers(rule, plan.answers, target.key, names) if rule is not None else None
        self._assembler, self._ambient = Assembler(plan, target, peers), Ambient(plan, target, peers)
        self._bulk = BulkPath(plan, self._assembler)
        self._loads, self._format = plan.loads, KnownFormat(plan.loads)
        self.joiner = Joiner(plan.max_line_size)

    def feed(self, block: Block, now: int) -> Result:
        """Process a block. `now`, in nanoseconds, is the time of a line that has none."""
        data, found = block.data, Result(lines=block.too_long)
        if block.too_long:
            found.dropped[TOO_LONG] += block.too_long
        if not data:
            return found
        hits = self._scanner.scan(data)
        if hits.has_partial or self.joiner or self.joiner.cut:
            for line in self._join(block, found):
                found.note(self._take(line.time, line.content, found, now))
        else:
            self._take_candidates(data, lines_at(data, hits.ends), found, now)
        return found

    def flush(self, now: int, *, rest_may_come: bool = False) -> Result:
        """The log has ended, or seems to: partial lines count as they are."""
        found = Result()
        for line in self.joiner.cut_off() if rest_may_come else self.joiner.flush():
            found.lines += 1
            found.note(self._take(line.time, line.content, found, now))
        return found

    def named(self, found: Result, missing: str) -> None:
        """Finish the lines whose peers were not known, in their order, into the result's streams and counts.

        `missing`: why a peer is unknown that is still not known; empty where that cannot be.
        """
        peers, lines = self._peers, found.unanswered
        found.unanswered = []
        for line in lines:
            peer = line.peer
            if peer is None and peers is not None:
                peer = peers.find(line.asked) or peers.give_up(line.asked, missing)
            line.finish(peer or NO_PEER, found)

    def nothing_unsettled(self) -> None:
        """All lines that were read are settled."""
        self._ambient.nothing_unsettled()
        if self._peers is not None:
            self._peers.nothing_unsettled()

    # -- a block without partial lines: only candidates are looked at

    def _take_candidates(self, data: memoryview, candidates: Sequence[bytes], found: Result, now: int) -> None:
        """Take the candidates one by one; count all other lines by kind, in the block as a whole."""

        def fallback(line: bytes) -> str:
            parts = split_line(line)
            time, content = (parts.time, parts.content) if parts else (b"", line)
            return self._take(time, content, found, now)

        if len(candidates) == 1:  # most writes are one line: 10 µs, by the bulk path 14
            reasons = Counter((fallback(candidates[0]),))
        else:
            reasons = self._bulk.take(candidates, found, fallback)
        malformed, unclear, too_long = reasons[MALFORMED], reasons[UNCLEAR], reasons[TOO_LONG]
        taken = found.kept + len(found.unanswered) + malformed + unclear + too_long
        lines, json, texts, of_ztunnel = kinds_of(data)
        found.lines += lines
        unread = 0 if self._keeps_text else texts
        wanted = min(max(json + texts + of_ztunnel - unread, taken), lines - unread)  # kinds may be taken for others
        filtered = {NOT_JSON: lines - unread - wanted, TEXT_FORMAT: unread, MALFORMED: malformed, UNCLEAR: unclear}
        unmatched = UNKNOWN_FORMAT if json and self._format.is_foreign(data) else NOT_KEPT
        filtered[unmatched] = wanted - taken
        for why, times in filtered.items():
            if times:
                found.filtered[why] += times
        if too_long:
            found.dropped[TOO_LONG] += too_long

    # -- a block with partial lines: every line is looked at

    def _join(self, block: Block, found: Result) -> Iterator[LogicalLine]:
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

    def _take(self, time: bytes, content: bytes | None, found: Result, now: int) -> str:
        if content is None:
            return TOO_LONG
        content = without_colors(content)
        if not is_json(content):
            if TEXT_CONTENT.match(content):
                return self._take_text(time, content, found, now)
            return self._take_ztunnel(time, content, found, now) if ZTUNNEL_CONTENT.match(content) else NOT_JSON
        if not self._scanner.matches(content):
            return UNKNOWN_FORMAT if self._format.is_foreign_line(content) else NOT_KEPT
        record = parse_record(content, self._loads)
        if record is not None and (line := enclosed(record)) is not None:
            inner_time, inner = line
            return self._take(time or inner_time, inner, found, now)
        if record is not None and is_access_log(record):
            return self._ambient.take(time, content, record, found, now)
        return self._assembler.take(time, content, record, found, now)

    def _take_text(self, time: bytes, content: bytes, found: Result, now: int) -> str:
        record = parse_text_line(content) if self._scanner.matches(content) else {}
        if not self._keeps_text:
            if record:
                self._assembler.count(None, record, found)
            return TEXT_FORMAT
        if record is None:
            return UNCLEAR
        return self._assembler.take(time, content, record, found, now) if record else NOT_KEPT

    def _take_ztunnel(self, time: bytes, content: bytes, found: Result, now: int) -> str:
        if not self._scanner.matches(content):
            return NOT_KEPT
        fields = parse_ztunnel_line(content)
        return self._ambient.take(time, content, fields, found, now) if fields else MALFORMED
