"""Loki's push request as protobuf bytes, written by hand.

Field numbers and types as in proto/push.proto. The general library would make three objects of every entry;
this makes none. Knows nothing of compression or HTTP.
"""

from collections.abc import Iterator
from functools import lru_cache

from shipper.model import Kept, Metadata

SECOND = 1_000_000_000  # nanoseconds

# A field's key: its number, shifted by three, and 2 for what has a length, 0 for a varint.
_STREAM = b"\x0a"  # PushRequest.streams
_LABELS = b"\x0a"  # Stream.labels
_ENTRY = b"\x12"  # Stream.entries
_TIMESTAMP = b"\x0a"  # Entry.timestamp
_LINE = b"\x12"  # Entry.line
_METADATA = b"\x1a"  # Entry.structured_metadata
_NAME, _VALUE = b"\x0a", b"\x12"  # of a LabelPair
_SECONDS, _NANOS = b"\x08", b"\x10"  # of a Timestamp


def varint(number: int) -> bytes:
    """Seven bits a byte, lowest first; a negative number as its 64-bit two's complement."""
    if number < 0:
        number += 1 << 64
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


_TABLED = 1 << 14  # numbers of two bytes or one
_SHORT = [varint(number) for number in range(_TABLED)]  # most lengths
_PAIR = [bytes((bits & 127 | 128, bits >> 7 | 128)) for bits in range(_TABLED)]  # 14 bits, more to follow


def _length(number: int) -> bytes:
    return _SHORT[number] if number < _TABLED else varint(number)


def _pairs(metadata: Metadata) -> bytes:
    parts: list[bytes] = []
    for name, value in metadata:
        inner = _text(_NAME, name) + _text(_VALUE, value)
        parts += (_METADATA, _length(len(inner)), inner)
    return b"".join(parts)


def _text(key: bytes, text: str) -> bytes:
    raw = text.encode(errors="replace")
    return key + _length(len(raw)) + raw if raw else b""


def encode(labels: str, kept: Kept) -> bytes:
    """A push request of one stream."""
    entries = encode_entries(kept)
    return stream_head(labels, len(entries)) + entries


def stream_head(labels: str, size: int) -> bytes:
    """What stands before the entries of a push request's only stream, `size` bytes in all."""
    name = _text(_LABELS, labels)
    return b"".join((_STREAM, varint(len(name) + size), name))


def encode_entries(kept: Kept) -> bytes:
    """A stream's entries. Lines go as they are, valid UTF-8 or not.

    A time must fit Timestamp: its seconds are a signed number of 64 bits.
    """
    parts: list[bytes] = []
    add, short, pair, metadata = parts.extend, _SHORT, _PAIR, kept.metadata
    last, fives, fours = None, _Heads(0, 5), _Heads(0, 4)
    for nanos, line in zip(kept.times, kept.lines, strict=True):
        second, fraction = divmod(nanos, SECOND)
        if second != last or fraction < 1 << 21 or metadata:
            add(_entry(second, fraction, line, metadata[len(parts) // _PARTS] if metadata else ()))
            if second != last:
                last, fives, fours = second, _Heads(second, 5), _Heads(second, 4)
        elif fraction >> 28:  # three of four times
            head, prefix = fives[len(line)]
            add((head, pair[fraction & 16383], pair[fraction >> 14 & 16383], short[fraction >> 28], prefix, line))
        else:
            head, prefix = fours[len(line)]
            add((head, pair[fraction & 16383], short[fraction >> 14], b"", prefix, line))
    return b"".join(parts)


_PARTS = 6  # of each entry


@lru_cache(maxsize=1024)
def _seconds(second: int) -> bytes:
    return _SECONDS + varint(second) if second else b""


def _entry(second: int, fraction: int, line: bytes, metadata: Metadata) -> tuple[bytes, ...]:
    """Any entry, in parts."""
    inner = _seconds(second)
    if fraction:
        inner += _NANOS + varint(fraction)
    stamp, prefix = _TIMESTAMP + _SHORT[len(inner)] + inner, _LINE + _length(len(line))
    pairs = _pairs(metadata) if metadata else b""
    size = len(stamp) + len(prefix) + len(line) + len(pairs)
    return _ENTRY, _length(size), stamp, prefix, line, pairs


class _Heads(dict[int, tuple[bytes, bytes]]):
    """Of a line's length: what stands before its entry's nanoseconds, and what between them and the line.

    For all entries of one second whose nanoseconds are of one size: where all is kept, lengths come again and again.
    """

    __slots__ = ("_second", "_size")

    def __init__(self, second: int, size: int) -> None:
        self._second, self._size = second, size

    def __missing__(self, length: int) -> tuple[bytes, bytes]:
        seconds, prefix = _seconds(self._second), _LINE + _length(length)
        stamp = _TIMESTAMP + _SHORT[len(seconds) + 1 + self._size] + seconds + _NANOS
        inner = len(stamp) + self._size + len(prefix) + length
        found = self[length] = _ENTRY + _length(inner) + stamp, prefix
        return found


def decode_entries(data: bytes) -> Kept:
    """What `encode_entries` has made, taken apart again."""
    kept = Kept()
    for _, entry in _fields(data):
        nanos, line, metadata = 0, b"", []
        for key, value in _fields(entry):
            if key == _TIMESTAMP[0]:
                nanos = _nanos(value)
            elif key == _LINE[0]:
                line = value
            else:
                pair = {name: text.decode() for name, text in _fields(value)}
                metadata.append((pair.get(_NAME[0], ""), pair.get(_VALUE[0], "")))
        kept.add(nanos, line, tuple(metadata))
    return kept


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The keys and values of a message whose fields all have a length."""
    at = 0
    while at < len(data):
        length, begin = _varint_at(data, at + 1)
        yield data[at], data[begin : begin + length]
        at = begin + length


def _nanos(timestamp: bytes) -> int:
    nanos, at = 0, 0
    while at < len(timestamp):
        number, end = _varint_at(timestamp, at + 1)
        signed = number - (1 << 64) if number >> 63 else number
        nanos += signed * SECOND if timestamp[at] == _SECONDS[0] else signed
        at = end
    return nanos


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins here, and where it ends."""
    number, shift = 0, 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
