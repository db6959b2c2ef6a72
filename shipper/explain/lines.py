"""Raw input to access-log records: CRI prefixes removed, partial lines joined, JSON or Istio's text parsed.

A line that cannot be read is a value too, with its number and the cause.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from shipper.fields import KEYS
from shipper.pipeline.cri import TEXT_CONTENT, split_line
from shipper.pipeline.partial import Joiner
from shipper.pipeline.record import Record, parse_record
from shipper.pipeline.text_format import parse_text_line

MAX_LINE: Final = 16 * 1024 * 1024  # bytes of a joined line; more is not an access log
JSON, TEXT = "json", "text"

# Every record of an access log has one of these, whatever its format leaves out.
_TELLING: Final = frozenset(
    {
        *KEYS.values(),
        "start_time",
        "response_code",
        "response_code_details",
        "downstream_transport_failure_reason",
        "upstream_transport_failure_reason",
        "upstream_cluster",
    }
) - {"request_id", "connection_id"}  # applications log these too


@dataclass(frozen=True, slots=True)
class Readable:
    """A record, and the number of the line where it begins."""

    line: int
    format: str  # json or text
    record: Record


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no record."""

    line: int
    error: str


def read(lines: Iterable[bytes]) -> Iterator[Readable | Unreadable]:
    """The record of each line; empty lines are skipped. Partial lines are joined, also if others come in between."""
    joiner = Joiner(MAX_LINE)
    begun: dict[bytes, int] = {}  # number of the first line of each partial line, by stream: in the order of the joiner
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip(b"\r\n")
        if not line.strip():
            continue
        parts = split_line(line)
        if parts is None or not parts.stream:
            yield _parsed(number, line)
            continue
        first = begun.setdefault(parts.stream, number)
        if whole := joiner.add(parts, None, 0):
            del begun[parts.stream]
            yield _parsed(first, whole.content)
    for first, whole in zip(begun.values(), joiner.flush(), strict=True):
        found = _parsed(first, whole.content)
        yield found if isinstance(found, Readable) else Unreadable(first, "the rest of this partial line is missing")


def _parsed(number: int, content: bytes | None) -> Readable | Unreadable:
    if content is None:
        return Unreadable(number, f"longer than {MAX_LINE} bytes")
    content = content.strip(b" \t")
    if content.startswith(b"{"):
        return _from_json(number, content)
    if record := parse_text_line(content):
        return Readable(number, TEXT, record)
    if TEXT_CONTENT.match(content):
        return Unreadable(number, "a text access log, but not in Istio's default format, or it can be read in two ways")
    return Unreadable(number, "neither JSON nor Istio's text access log")


def _from_json(number: int, content: bytes) -> Readable | Unreadable:
    record = parse_record(content)
    if record is None:
        return Unreadable(number, "broken JSON")
    if not _TELLING & record.keys():
        return Unreadable(number, "JSON, but no access log: it has none of the keys of one")
    return Readable(number, JSON, record)
