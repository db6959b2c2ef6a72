"""Pieces of a file to what can be read alone: a line, a document, or a JSON value that spans many lines or is one of a
list, or one of many on a line.

Holds one such unit at a time, so a list of any length is read in bounded memory.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from shipper.pipeline.cri import TEXT_CONTENT
from shipper.reading.documents import SEPARATOR, Document, opens_document
from shipper.reading.frame import without_colors
from shipper.reading.json_text import JsonText

MAX_UNIT: Final = 16 * 1024 * 1024  # bytes; more is not an access log


class Piece(NamedTuple):
    """A line, or a part of one."""

    line: int  # its number, from 1
    content: bytes
    ends: bool = True  # whether the line ends with it


class Unit(NamedTuple):
    """What is read alone; `content` is None when it is too long."""

    line: int  # where it begins
    content: bytes | None


def units(pieces: Iterable[Piece], max_size: int = MAX_UNIT) -> Iterator[Unit]:
    """The units in their order; empty lines are left out."""
    splitter = _Splitter(max_size)
    for piece in pieces:
        yield from splitter.feed(piece)
    yield from splitter.close()


class _Splitter:
    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._json: JsonText | None = None
        self._document: Document | None = None
        self._line = bytearray()  # the parts of a line whose end has not come
        self._first = 0  # its number; 0: a line begins
        self._is_too_long = False

    def feed(self, piece: Piece) -> Iterator[Unit]:
        """The units that this piece completes."""
        if b"\x1b" in piece.content:
            piece = piece._replace(content=without_colors(piece.content))
        if self._json is not None:
            yield from self._more_json(self._json, piece)
        elif not self._first and self._document is None and opens_list(piece.content):
            self._json = JsonText(is_list=True)
            yield from self._more_json(self._json, piece)
        else:
            yield from self._more_line(piece)

    def close(self) -> Iterator[Unit]:
        """The input has ended."""
        if self._json is not None:
            yield from self._given_up(self._json)
        elif self._first:
            yield from self._more_line(Piece(self._first, b""))
        yield from self._end_document()

    def _more_line(self, piece: Piece) -> Iterator[Unit]:
        self._first = number = self._first or piece.line
        self._line += piece.content
        if len(self._line) > self._max_size:
            self._line.clear()
            self._is_too_long = True
        if not piece.ends:
            return
        line, is_too_long = bytes(self._line.rstrip(b"\r\n")), self._is_too_long
        self._first, self._is_too_long = 0, False
        self._line.clear()
        if is_too_long:
            yield from self._end_document()
            yield Unit(number, None)
        elif self._document is not None and line != SEPARATOR:
            yield from self._more_document(self._document, number, line)
        elif opens_document(line):
            yield from self._end_document()
            self._document = Document(number, line)
        elif opens_object(line):
            self._json = JsonText(is_list=False)
            yield from self._more_json(self._json, Piece(number, line + b"\n"))
        elif b"}{" in line:
            yield from (Unit(number, value) for value in _objects(number, line))
        elif line.strip():
            yield Unit(number, line)

    def _more_document(self, document: Document, number: int, line: bytes) -> Iterator[Unit]:
        if document.takes(line) and len(document) + len(line) <= self._max_size:
            document.add(number, line)
            return
        yield from self._end_document()
        yield from self._more_line(Piece(number, line))

    def _end_document(self) -> Iterator[Unit]:
        document, self._document = self._document, None
        if document is not None:
            yield from (Unit(*line) for line in document.close() if line.content.strip())

    def _more_json(self, json: JsonText, piece: Piece) -> Iterator[Unit]:
        if json and _interrupts(json, piece.content):
            yield from self._given_up(json)
            yield from self.feed(piece)
            return
        yield from (Unit(line, value) for line, value in json.feed(piece.line, piece.content))
        if json.ended:
            self._json = None
            if rest := json.held.strip(b" \t\r\n,]"):
                yield from self.feed(Piece(piece.line, rest, piece.ends))
        elif len(json) > self._max_size or (json.in_string and piece.ends):
            yield from self._given_up(json)

    def _given_up(self, json: JsonText) -> Iterator[Unit]:
        """It was no JSON after all: its lines, each alone."""
        self._json = None
        if len(json) > self._max_size:
            yield Unit(json.line, None)
            return
        for number, line in enumerate(json.held.split(b"\n"), json.line):
            if line.strip(b" \t\r[],"):
                yield Unit(number, line.rstrip(b"\r"))


def _objects(number: int, line: bytes) -> list[bytes]:
    """The objects that stand on one line without anything between, as Fluent Bit's `json_stream` has them; the line,
    where it is something else."""
    json = JsonText(is_list=True)
    found = [value for _, value in json.feed(number, b"[" + line + b"]")]
    return found if json.ended and not json.held and len(found) > 1 else [line]


def opens_list(content: bytes) -> bool:
    """Whether a list of objects or texts begins; an access log in text begins with a bracket and a date."""
    bare = content.lstrip()
    return bare[:1] == b"[" and bare[1:].lstrip()[:1] in (b"", b"{", b'"')


def opens_object(line: bytes) -> bool:
    """Whether an object begins that does not end on this line."""
    bare = line.lstrip(b" \t")
    return bare[:1] == b"{" and bare[1:].lstrip()[:1] in (b"", b'"') and bare.rstrip()[-1:] != b"}"


def _interrupts(json: JsonText, content: bytes) -> bool:
    """Whether a line is none of this JSON: an object that was cut off is followed by the next line of the log."""
    bare = content.lstrip()
    if not bare:
        return False
    return TEXT_CONTENT.match(bare) is not None or (json.wants_key and bare[:1] not in (b'"', b"}"))
