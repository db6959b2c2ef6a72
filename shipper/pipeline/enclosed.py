"""An access log's line that a collector has put into a record of its own: docker's json-file, Fluent Bit's records.

Pure. The patterns of a keep rule are found in such a line as in any other, for escaping leaves them as they are.
"""

from shipper.fields import TELLING_KEYS
from shipper.pipeline.assemble import is_json
from shipper.pipeline.cri import TEXT_CONTENT, ZTUNNEL_CONTENT, split_line, without_colors
from shipper.pipeline.record import LINE_KEYS, Record, texts
from shipper.times import parse_time


def enclosed(record: Record) -> tuple[bytes, bytes] | None:
    """Time and content of the line in this record; None when it holds none. The time is empty where none is told."""
    for line in texts(record, LINE_KEYS):
        parts = split_line(line)
        time, content = (parts.time, parts.content) if parts else (b"", line)
        bare = without_colors(content)
        is_known = is_json(bare) or TEXT_CONTENT.match(bare) or ZTUNNEL_CONTENT.match(bare)
        if is_known and TELLING_KEYS.isdisjoint(record):
            return time or _time(record), bare
    return None


def _time(record: Record) -> bytes:
    """Docker's time of the line."""
    value = record.get("time")
    time = value.encode(errors="replace") if type(value) is str else b""
    return time if time and parse_time(time) is not None else b""
