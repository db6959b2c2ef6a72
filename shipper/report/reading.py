"""One log to its failed connections: candidates by the pipeline's scan, each read as `explain` reads it.

What is no candidate is counted by kind, never parsed. Knows nothing of files, Loki, or how failures are counted.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final, NamedTuple

import orjson

from shipper.fields import TELLING_KEYS
from shipper.pipeline import ztunnel
from shipper.pipeline.audit import Audit
from shipper.pipeline.cri import split_line
from shipper.pipeline.failure import TIMEOUT, Failure
from shipper.pipeline.gateways import is_gateway
from shipper.pipeline.keep import MTLS
from shipper.pipeline.kinds import is_access_log, kinds_of
from shipper.pipeline.partial import Joiner
from shipper.pipeline.record import Loads, parse_record, text
from shipper.pipeline.scan import Scanner, lines_at
from shipper.reading.lines import BODY, JSON, TLS, ZTUNNEL, Line, Readable, Unreadable, read
from shipper.reading.origin import NOBODY
from shipper.reading.units import MAX_UNIT
from shipper.report.whose import fields_of_origin, fields_of_peer, pod_key
from shipper.times import parse_iso_time, parse_time

FAILED, REPEATED, TIMED_OUT, HEALTHY, UNREADABLE, OTHER, TOO_LONG = (
    "failed_connections",
    "further_lines",
    "upstream_timeouts",
    "no_failed_handshake",
    "unreadable",
    "other_lines",
    "too_long",
)
KINDS: Final[Mapping[str, str]] = {
    FAILED: "lines of a failed connection, its first",
    REPEATED: "further lines of the same failed connections",
    TIMED_OUT: "upstream timeouts (flag UT), no failed handshake",
    HEALTHY: "access-log lines without a failed handshake",
    UNREADABLE: "access-log lines that cannot be read",
    OTHER: "other lines",
    TOO_LONG: "lines too long for an access log",
}
"""Each line is of one of these kinds."""

_START_TIME: Final = re.compile(
    rb'^\[?(\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d))|"start_time":"(\d{4}-\d\d-\d\dT[^"]{8,22})"'
)
_WORDS: Final = (BODY, TLS)  # of a failure, without an access log: nobody knows how often they are repeated


class Found(NamedTuple):
    """A line that says that a connection failed."""

    failure: Failure
    line: Readable
    nanos: int | None  # by the container runtime or what has printed it, else when the connection was made
    pod: str  # names the container that wrote it
    fields: Mapping[str, str]


class LogReader:
    """Reads the lines of one log, in its order. Lines are counted in `counts`, each once."""

    def __init__(
        self,
        fields: Mapping[str, str],
        pod: str,
        audit: Audit,
        counts: Counter[str],
        loads: Loads = orjson.loads,
    ) -> None:
        self._pod, self._fields = pod, fields
        self._audit, self._counts, self._loads = audit, counts, loads
        self._scanner = _scanner()
        self._is_gateway = is_gateway(fields)
        self._judges = {at: MTLS.judge_for(is_gateway=at) for at in (False, True)}
        self._joiner = Joiner(MAX_UNIT)
        self.begin: int | None = None  # times of the first and the last line that tell one
        self.end: int | None = None

    def feed(self, data: memoryview) -> Iterator[Found]:
        """The failed connections of a block of whole lines."""
        self._note_times(data)
        hits = self._scanner.scan(data)
        if hits.has_partial or self._joiner:
            yield from self._joined(bytes(data[:-1]).split(b"\n"))
            return
        kinds = kinds_of(data)
        known = kinds.json + kinds.text + kinds.ztunnel
        self._counts[HEALTHY] += known
        self._counts[OTHER] += kinds.lines - known
        for line in lines_at(data, hits.ends):
            parts = split_line(line)
            time, content = (parts.time, parts.content) if parts else (b"", line)
            yield from self._take(time, content, _kind_of(line))

    def feed_entry(self, nanos: int, content: bytes, fields: Mapping[str, str]) -> Iterator[Found]:
        """The failed connection of a line whose time is known, with its own fields."""
        kind = _kind_of(content)
        self._counts[kind] += 1
        if self._scanner.matches(content):
            for found in self._take(b"", content, kind):
                yield found._replace(nanos=nanos, fields=fields)

    def feed_read(self, lines: Iterable[Line]) -> Iterator[Found]:
        """The failed connections of what was read already: of a list, or of JSON over several lines."""
        for line in lines:
            is_read = isinstance(line, Readable) and line.format not in _WORDS
            kind = HEALTHY if is_read else UNREADABLE if isinstance(line, Unreadable) else OTHER
            self._counts[kind] += 1
            if isinstance(line, Readable) and is_read:
                self._spans(_time_of_record(line))
                yield from self._judged(b"", line, kind)

    def flush(self) -> Iterator[Found]:
        """The log has ended: partial lines count as they are."""
        for line in self._joiner.flush():
            yield from self._take_joined(line.time, line.content)

    def pass_over(self) -> None:
        """A line was too long to be read."""
        self._counts[TOO_LONG] += 1

    def _joined(self, lines: list[bytes]) -> Iterator[Found]:
        """Every line is looked at, for some are parts of others."""
        for raw in lines:
            parts = split_line(raw)
            if parts is None or not parts.stream:
                yield from self._take_joined(b"", raw)
            elif whole := self._joiner.add(parts, None, 0):
                yield from self._take_joined(whole.time, whole.content)

    def _take_joined(self, time: bytes, content: bytes | None) -> Iterator[Found]:
        if content is None:
            self.pass_over()
            return
        kind = _kind_of(content)
        self._counts[kind] += 1
        if self._scanner.matches(content):
            yield from self._take(time, content, kind)

    def _take(self, time: bytes, content: bytes, kind: str) -> Iterator[Found]:
        """A candidate; it was counted already as one of this kind."""
        if content[:1] == b"{":  # nine in ten: nothing stands around it
            record = parse_record(content, self._loads)
            if record is not None and not TELLING_KEYS.isdisjoint(record) and not ztunnel.is_access_log(record):
                yield from self._judged(time, Readable(0, JSON, record), kind)
                return
        for line in read((content,), self._loads):
            if isinstance(line, Readable) and line.format not in _WORDS:
                yield from self._judged(time, line, kind)
            elif isinstance(line, Unreadable):
                self._recount(kind, UNREADABLE)
            else:
                self._recount(kind, OTHER)

    def _judged(self, time: bytes, line: Readable, kind: str) -> Iterator[Found]:
        at_gateway = line.is_gateway or self._is_gateway
        is_ztunnel = line.format == ZTUNNEL
        failure = ztunnel.classify(line.record) if is_ztunnel else self._judges[at_gateway](line.record)
        if failure is None:
            return
        fields = fields_of_origin(line.origin) or self._fields
        if line.origin.peer != NOBODY:
            fields = {**fields, **fields_of_peer(line.origin.peer)}
        pod = pod_key(fields) or self._pod
        if failure == TIMEOUT or not self._audit.is_first(failure, line.record, pod):
            self._recount(kind, TIMED_OUT if failure == TIMEOUT else REPEATED)
            return
        self._recount(kind, FAILED)
        nanos = parse_time(time) if time else None
        if nanos is None:
            nanos = _time_of_record(line)
        yield Found(failure, line, nanos, pod, fields)

    def _recount(self, before: str, kind: str) -> None:
        self._counts[before] -= 1
        self._counts[kind] += 1

    def _note_times(self, data: memoryview) -> None:
        if self.begin is None:
            self._spans(_time_of(bytes(data[:_HEAD]).partition(b"\n")[0]))
        tail = bytes(data[-_HEAD:-1])
        self._spans(_time_of(tail[tail.rfind(b"\n") + 1 :]))

    def _spans(self, nanos: int | None) -> None:
        if nanos is not None:
            self.begin = min(nanos, nanos if self.begin is None else self.begin)
            self.end = max(nanos, nanos if self.end is None else self.end)


@cache  # one for all logs: it is used by one at a time
def _scanner() -> Scanner:
    return Scanner(MTLS.patterns)


_HEAD: Final = 16 << 10  # bytes in which the first and the last line of a block are looked for


def _time_of(line: bytes) -> int | None:
    """The time at the beginning of a line, or of its JSON."""
    found = _START_TIME.search(line)
    return parse_iso_time((found[1] or found[2]).decode()) if found else None


def _time_of_record(line: Readable) -> int | None:
    """When it was written, else when the connection was made."""
    written = parse_time(line.origin.time.encode(errors="replace")) if line.origin.time else None
    return parse_iso_time(text(line.record, "start_time")) if written is None else written


def _kind_of(line: bytes) -> str:
    """As what `kinds_of` has counted this line."""
    return HEALTHY if is_access_log(line) else OTHER
