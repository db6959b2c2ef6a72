"""All logs of a report to what was counted of them: failed connections folded, lines by kind, the span of time."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

import orjson

from shipper.pipeline.audit import Audit
from shipper.pipeline.failure import DOWNSTREAM, UPSTREAM
from shipper.pipeline.record import Loads, text
from shipper.reading.holders import Holders, peer_address
from shipper.reading.lines import read_file
from shipper.report.blocks import blocks
from shipper.report.fold import Fold, Kind, Sample
from shipper.report.parties import ends_of, network_of
from shipper.report.reading import Found, LogReader
from shipper.report.sources import DAMAGED, Log, Unopened, damage
from shipper.report.whose import fields_of_peer


class Gathered:
    """What was counted; grows as logs are read."""

    def __init__(self, fold: Fold | None = None, loads: Loads = orjson.loads, holders: Holders | None = None) -> None:
        self.fold = fold or Fold()
        self.lines: Counter[str] = Counter()  # by kind
        self.logs = 0
        self.begin: int | None = None  # nanoseconds since 1970; None: no line told a time
        self.end: int | None = None
        self.notes: list[str] = []
        self._audit, self._loads, self._holders = Audit(), loads, holders
        self._readers: dict[str, LogReader] = {}  # by pod, of those whose lines come in any order

    def reader(self, pod: str, fields: Mapping[str, str]) -> LogReader:
        """Reads one more log; what it finds must be counted with `count`."""
        self.logs += 1
        return LogReader(fields, pod, self._audit, self.lines, self._loads)

    def reader_of(self, pod: str, fields: Mapping[str, str]) -> LogReader:
        """The same, one for each pod."""
        if pod not in self._readers:
            self._readers[pod] = self.reader(pod, fields)
        return self._readers[pod]

    def count(self, found: Iterable[Found]) -> None:
        """Count failed connections."""
        for one in found:
            record, fields = one.line.record, one.fields
            if self._holders is not None and "peer_app" not in fields:
                peer = self._holders.peer(peer_address(record, one.failure.side), one.nanos)
                fields = {**fields, **fields_of_peer(peer)}
            ends = ends_of(record, one.failure.side, fields)
            kind = Kind(
                one.failure.reason,
                DOWNSTREAM if one.failure.side == DOWNSTREAM else UPSTREAM,
                ends.client,
                ends.server,
                text(record, "downstream_peer_issuer"),
                text(record, "downstream_peer_serial"),
                _network(ends.peer_address),
                fields.get("peer_node", ""),
                fields.get("node", ""),
            )
            self.fold.add(kind, one.nanos, ends.peer_address, ends.own_pod or one.pod, Sample(one.line, fields))

    def spans(self, begin: int | None, end: int | None) -> None:
        """A log, or a query, begins and ends at these times."""
        if begin is not None:
            self.begin = begin if self.begin is None else min(begin, self.begin)
        if end is not None:
            self.end = end if self.end is None else max(end, self.end)

    def read(self, logs: Iterable[Log | Unopened]) -> None:
        """Read all files to their ends; those of one pod that follow each other are one log."""
        reader, last = None, None
        for log in logs:
            if isinstance(log, Unopened):
                self.notes.append(f"{log.name}: {log.error}")
                continue
            if reader is None or last is None or log.pod != last.pod:
                self._close(reader, last)
                reader = self.reader(log.pod, log.fields)
            last = log
            try:
                self._read(log, reader)
            except DAMAGED as error:
                self.notes.append(f"{log.name}: {damage(error)}; what stands before that was read")
        self._close(reader, last)

    def _read(self, log: Log, reader: LogReader) -> None:
        if log.spans_lines:
            self.count(reader.feed_read(read_file(log.file, self._loads)))
            return
        for block in blocks(log.file, reader.pass_over):
            self.count(reader.feed(block))

    def _close(self, reader: LogReader | None, log: Log | None) -> None:
        """A log has been read to its end."""
        if reader is not None and log is not None:
            self.count(reader.flush())
            self.spans(reader.begin, reader.end)


_network = lru_cache(maxsize=4096)(network_of)
