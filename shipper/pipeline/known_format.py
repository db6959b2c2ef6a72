"""Whether a target's JSON lines are an access log at all, under the keys that are read here.

Lines without them would be passed over for ever, and nobody would know. Decided on the first lines of a block until one
of the keys has been seen; then never again.
"""

from typing import Final

from shipper.fields import TELLING_KEYS
from shipper.pipeline.assemble import is_json
from shipper.pipeline.cri import TEXT_CONTENT, ZTUNNEL_CONTENT, split_line
from shipper.pipeline.enclosed import enclosed
from shipper.pipeline.record import Loads, parse_record
from shipper.pipeline.ztunnel import is_access_log

SAMPLE_BYTES: Final = 1 << 16
SAMPLE_LINES: Final = 16
# What is written to the same log with logAsJson, by Istio's agent and by ztunnel itself.
_PROXY_LOGS: Final = ({"level", "scope", "msg"}, {"level", "scope", "time"})


class KnownFormat:
    """What the lines of one target have shown so far."""

    def __init__(self, loads: Loads) -> None:
        self._loads = loads
        self.is_seen = False  # one of the access log's keys, or a line of text

    def is_foreign(self, data: memoryview) -> bool:
        """Whether a block holds JSON lines, and those at its beginning are of an unknown format. Costs nothing once a
        key has been seen."""
        if self.is_seen:
            return False
        lines = bytes(data[:SAMPLE_BYTES]).split(b"\n", SAMPLE_LINES)[:SAMPLE_LINES]
        foreign = [self.is_foreign_line(parts.content) for raw in lines if (parts := split_line(raw))]
        return any(foreign) and not self.is_seen

    def is_foreign_line(self, content: bytes) -> bool:
        """The same for one line."""
        if self.is_seen:
            return False
        if not is_json(content):
            self.is_seen = bool(TEXT_CONTENT.match(content) or ZTUNNEL_CONTENT.match(content))
            return False
        record = parse_record(content, self._loads)
        if record is None:
            return False
        if (line := enclosed(record)) is not None:
            if not is_json(line[1]):
                self.is_seen = True
                return False
            record = parse_record(line[1], self._loads) or record
        self.is_seen = not TELLING_KEYS.isdisjoint(record) or is_access_log(record)
        return not self.is_seen and not any(record.keys() >= keys for keys in _PROXY_LOGS)
