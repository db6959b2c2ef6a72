"""What was read to access-log records: wrappings removed, partial lines joined, JSON or text parsed.

A line that cannot be read is a value too, with its number and the cause; so is one that is no access log.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, NamedTuple

import orjson

from shipper.fields import TELLING_KEYS
from shipper.pipeline.cri import TEXT_CONTENT, split_line
from shipper.pipeline.gateways import is_gateway
from shipper.pipeline.partial import Joiner
from shipper.pipeline.record import Loads, Record, parse_record
from shipper.pipeline.text_format import parse_text_line
from shipper.pipeline.ztunnel import is_access_log, parse_ztunnel_line, to_record
from shipper.reading.bare import parse_body, tls_error
from shipper.reading.content import pieces
from shipper.reading.fragment import parse_cut_object, parse_fragment
from shipper.reading.frame import beginnings, unframed
from shipper.reading.origin import UNKNOWN, Origin, of_prefix
from shipper.reading.quoted import unquoted
from shipper.reading.records import Search
from shipper.reading.units import MAX_UNIT, Piece, Unit, units

JSON, TEXT, FRAGMENT, ZTUNNEL, BODY, TLS = "json", "text", "fragment", "ztunnel", "body", "tls_error"

_GENERATED: Final = re.compile(r"-(?:[a-f0-9]{6,10}-)?[a-z0-9]{5}$")  # what Kubernetes adds to a Deployment's name
_KEY: Final = re.compile(rb'"(?:' + b"|".join(key.encode() for key in sorted(TELLING_KEYS)) + rb')\\*"')
_QUOTED_KEY: Final = b'\\"":'  # a format with a quote too many in its keys


@dataclass(frozen=True, slots=True)
class Readable:
    """A record, and the number of the line where it begins."""

    line: int
    format: str  # json, text, ztunnel, fragment (cut off, or another format), body (of a response), tls_error (alone)
    record: Record
    is_gateway: bool = False  # by the pod's name beside it
    origin: Origin = UNKNOWN
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no record of what looks like an access log."""

    line: int
    error: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class NoAccessLog:
    """Another line: what it is not."""

    line: int
    error: str
    file: str | None = None


Line = Readable | Unreadable | NoAccessLog


class _Found(NamedTuple):
    format: str
    record: Record


_Hits = list[tuple[_Found, Origin]]


def read(lines: Iterable[bytes], loads: Loads = orjson.loads, origin: Origin = UNKNOWN) -> Iterator[Line]:
    """The records of whole lines, their JSON read by `loads`; empty lines are skipped. Partial lines are joined, also
    if others come in between. `origin` is what is known of all of them."""
    return _Reader(loads, origin).read(units(Piece(number, line) for number, line in enumerate(lines, 1)))


def read_file(
    file: BinaryIO, loads: Loads = orjson.loads, origin: Origin = UNKNOWN, name: str | None = None
) -> Iterator[Line]:
    """The same of a file or a pipe, with its name. Raises OSError where it cannot be read further."""
    return _Reader(loads, origin, name).read(units(pieces(file)))


class _Reader:
    def __init__(self, loads: Loads, origin: Origin, name: str | None = None) -> None:
        self._loads, self._origin, self._name = loads, origin, name
        self._search = Search(self._known, self._framed)

    def read(self, found: Iterable[Unit]) -> Iterator[Line]:
        joiner = Joiner(MAX_UNIT)
        begun: dict[bytes, int] = {}  # first line of each partial line, by stream: in the order of the joiner
        for number, line in found:
            parts = split_line(line) if line is not None else None
            if parts is None or not parts.stream:
                yield from self._unit(number, line, UNKNOWN)
                continue
            first = begun.setdefault(parts.stream, number)
            if whole := joiner.add(parts, None, 0):
                del begun[parts.stream]
                if whole.content is None or whole.content.strip():
                    yield from self._unit(first, whole.content, Origin(time=whole.time.decode("ascii", "replace")))
        for first, whole in zip(begun.values(), joiner.flush(), strict=True):
            for line_ in self._unit(first, whole.content, Origin(time=whole.time.decode("ascii", "replace"))):
                is_whole = isinstance(line_, Readable)
                yield line_ if is_whole else Unreadable(first, "the rest of this partial line is missing", self._name)

    def _unit(self, number: int, content: bytes | None, around: Origin) -> Iterator[Line]:
        if content is None:
            yield Unreadable(number, f"longer than {MAX_UNIT} bytes", self._name)
            return
        bare = content.strip(b" \t\r")
        hits = self._hits(bare)
        for (format_, record), own in hits:
            origin = own.or_else(around).or_else(self._origin)
            yield Readable(number, format_, record, _is_gateway(origin), origin, self._name)
        if not hits:
            yield self._miss(number, bare)

    # -- one line, read in the order of what is certain

    def _hits(self, bare: bytes) -> _Hits:
        if hits := self._exact(bare) or self._framed(bare):
            return hits
        plain = unframed(bare)
        for before, inner in beginnings(plain):
            if found := self._lenient(inner):
                return [(found, of_prefix(before))]
        for before, inner in unquoted(plain):
            if hits := self._framed(inner):
                return _with(hits, of_prefix(before))
        return [] if _promises(plain) else self._words(plain)

    def _framed(self, content: bytes) -> _Hits:
        """What stands behind a prefix, within a frame and colours."""
        for before, inner in beginnings(unframed(content)):
            if hits := self._exact(inner):
                return _with(hits, of_prefix(before))
        return []

    def _exact(self, bare: bytes) -> _Hits:
        if bare[:1] != b"{":
            return self._text(bare)
        record = parse_record(bare, self._loads)
        if record is None:
            return []
        if _QUOTED_KEY in bare:
            record = {key.strip('" '): value for key, value in record.items()}
        known = self._known(record, is_read=True)
        return [(known, UNKNOWN)] if known else list(self._search.within(record))

    def _text(self, content: bytes) -> _Hits:
        if record := parse_text_line(content):
            return [(_Found(TEXT, record), UNKNOWN)]
        fields = parse_ztunnel_line(content)
        return [(_Found(ZTUNNEL, to_record(fields)), UNKNOWN)] if fields else []

    def _known(self, record: Record, *, is_read: bool = False) -> _Found | None:
        """An access log's object, of Envoy or ztunnel; `is_read`: by `loads`, so its keys have our names."""
        if not is_read and self._loads is not orjson.loads:
            record = self._loads(orjson.dumps(record))
        if is_access_log(record):
            return _Found(ZTUNNEL, to_record(record))
        return _Found(JSON, record) if TELLING_KEYS & record.keys() else None

    def _lenient(self, bare: bytes) -> _Found | None:
        """What was cut off, or has another format."""
        if bare[:1] == b"{":
            record = parse_cut_object(bare, self._loads) if parse_record(bare) is None else None
            return _Found(FRAGMENT, record) if record and self._known(record, is_read=True) else None
        if timeless := _without_time(bare):
            return _Found(TEXT, timeless)
        fragment = parse_fragment(bare)
        return _Found(FRAGMENT, fragment) if fragment else None

    def _words(self, plain: bytes) -> _Hits:
        """Envoy's words without an access log around them."""
        text = plain.decode("utf-8", "replace")
        if record := parse_body(text):
            return [(_Found(BODY, record), of_prefix(text))]
        if error := tls_error(text):
            return [(_Found(TLS, {"upstream_transport_failure_reason": error}), of_prefix(text))]
        return []

    def _miss(self, number: int, bare: bytes) -> Unreadable | NoAccessLog:
        plain = unframed(bare)
        for _, inner in beginnings(plain):
            if TEXT_CONTENT.match(inner):
                why = "a text access log, but not in Istio's default format, or it can be read in two ways"
                return Unreadable(number, why, self._name)
        if bare[:1] != b"{":
            return NoAccessLog(number, "neither JSON nor Istio's text access log", self._name)
        if parse_record(bare) is not None:
            return NoAccessLog(number, "JSON, but no access log: it has none of the keys of one", self._name)
        return (Unreadable if _promises(plain) else NoAccessLog)(number, "broken JSON", self._name)


def _promises(plain: bytes) -> bool:
    """Whether the line looks like an access log, so that not to read it is an error."""
    if _KEY.search(plain):
        return True
    return any(TEXT_CONTENT.match(inner) for _, inner in beginnings(plain))


def _with(hits: _Hits, origin: Origin) -> _Hits:
    return [(found, own.or_else(origin)) for found, own in hits]


def _is_gateway(origin: Origin) -> bool:
    return is_gateway({"pod": _GENERATED.sub("", origin.pod)}) if origin.pod else False


def _without_time(content: bytes) -> Record | None:
    """Istio's text from which the time was cut off."""
    if not content.startswith(b'"'):
        return None
    record = parse_text_line(b"[0001-01-01T00:00:00Z] " + content)
    return {key: value for key, value in record.items() if key != "start_time"} if record else None
