"""Raw input to access-log records: prefixes and wrappings removed, partial lines joined, JSON or text parsed.

A line that cannot be read is a value too, with its number and the cause.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import orjson

from shipper.explain.fragment import parse_fragment
from shipper.explain.wrapped import inner_object, unframed, wrapped
from shipper.fields import TELLING_KEYS
from shipper.pipeline.cri import TEXT_CONTENT, split_line
from shipper.pipeline.gateways import is_gateway
from shipper.pipeline.partial import Joiner
from shipper.pipeline.record import Loads, Record, parse_record
from shipper.pipeline.text_format import parse_text_line
from shipper.pipeline.ztunnel import is_access_log, parse_ztunnel_line, to_record

MAX_LINE: Final = 16 * 1024 * 1024  # bytes of a joined line; more is not an access log
JSON, TEXT, FRAGMENT, ZTUNNEL = "json", "text", "fragment", "ztunnel"


@dataclass(frozen=True, slots=True)
class Readable:
    """A record, and the number of the line where it begins."""

    line: int
    format: str  # json, text, fragment (of a text in another format) or ztunnel
    record: Record
    is_gateway: bool = False  # by the pod's name before it


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no record."""

    line: int
    error: str


def read(lines: Iterable[bytes], loads: Loads = orjson.loads) -> Iterator[Readable | Unreadable]:
    """The record of each line, its JSON read by `loads`; empty lines are skipped. Partial lines are joined, also if
    others come in between."""
    joiner = Joiner(MAX_LINE)
    begun: dict[bytes, int] = {}  # number of the first line of each partial line, by stream: in the order of the joiner
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip(b"\r\n")
        if not line.strip():
            continue
        parts = split_line(line)
        if parts is None or not parts.stream:
            yield _parsed(number, line, loads)
            continue
        first = begun.setdefault(parts.stream, number)
        if whole := joiner.add(parts, None, 0):
            del begun[parts.stream]
            yield _parsed(first, whole.content, loads)
    for first, whole in zip(begun.values(), joiner.flush(), strict=True):
        found = _parsed(first, whole.content, loads)
        yield found if isinstance(found, Readable) else Unreadable(first, "the rest of this partial line is missing")


def _parsed(number: int, content: bytes | None, loads: Loads) -> Readable | Unreadable:
    if content is None:
        return Unreadable(number, f"longer than {MAX_LINE} bytes")
    bare = content.strip(b" \t")
    found = _from_json(number, bare, loads) if bare.startswith(b"{") else _from_text(number, bare)
    if isinstance(found, Readable):
        return found
    before, inner = unframed(bare)
    again = _from_json(number, inner, loads) if inner.startswith(b"{") else _from_text(number, inner, lenient=True)
    return replace(again, is_gateway=is_gateway({"pod": before})) if isinstance(again, Readable) else found


def _from_text(number: int, content: bytes, *, lenient: bool = False) -> Readable | Unreadable:
    """A line of text; `lenient` reads also what was cut off, or has another format."""
    if record := parse_text_line(content):
        return Readable(number, TEXT, record)
    if fields := parse_ztunnel_line(content):
        return Readable(number, ZTUNNEL, to_record(fields))
    if lenient and (timeless := _without_time(content)):
        return Readable(number, TEXT, timeless)
    if lenient and (fragment := parse_fragment(content)):
        return Readable(number, FRAGMENT, fragment)
    if TEXT_CONTENT.match(content):
        return Unreadable(number, "a text access log, but not in Istio's default format, or it can be read in two ways")
    return Unreadable(number, "neither JSON nor Istio's text access log")


def _without_time(content: bytes) -> Record | None:
    """Istio's text from which the time was cut off."""
    if not content.startswith(b'"'):
        return None
    record = parse_text_line(b"[0001-01-01T00:00:00Z] " + content)
    return {key: value for key, value in record.items() if key != "start_time"} if record else None


def _from_json(number: int, content: bytes, loads: Loads) -> Readable | Unreadable:
    record = parse_record(content, loads)
    if record is None:
        return Unreadable(number, "broken JSON")
    if found := _known(number, record):
        return found
    for inner in wrapped(record):
        if isinstance(inner, bytes):
            whole = inner_object(inner, loads)
            inner_found = (_known(number, whole) if whole else None) or _from_text(number, unframed(inner)[1])
            if isinstance(inner_found, Readable):
                return inner_found
        elif found := _known(number, inner):
            return found
    return Unreadable(number, "JSON, but no access log: it has none of the keys of one")


def _known(number: int, record: Record) -> Readable | None:
    """An access log's object, of Envoy or ztunnel."""
    if is_access_log(record):
        return Readable(number, ZTUNNEL, to_record(record))
    return Readable(number, JSON, record) if TELLING_KEYS & record.keys() else None
