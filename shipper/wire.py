"""Loki's push request as protobuf bytes, written by hand.

Field numbers and types as in proto/push.proto. The general library would make three objects of every entry;
this makes none. Knows nothing of compression or HTTP.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from struct import pack

from shipper.model import Kept, Metadata
from shipper.times import SECOND

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


_length = lru_cache(maxsize=4096)(varint)  # those of lines come again and again


@lru_cache(maxsize=1024)
def _seconds(second: int) -> bytes:
    return _SECONDS + varint(second) if second else b""


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
    if kept.metadata is not None or len(kept) < _FEW:
        for nanos, line, metadata in kept:
            parts += _entry(nanos, line, metadata)
        return b"".join(parts)
    for begin in range(0, len(kept), _GROUP):
        _add_group(kept.times[begin : begin + _GROUP], kept.lines[begin : begin + _GROUP], parts.extend)
    return b"".join(parts)


def _entry(nanos: int, line: bytes, metadata: Metadata = ()) -> tuple[bytes, ...]:
    """Any entry, in parts."""
    second, fraction = divmod(nanos, SECOND)
    inner = _seconds(second)
    if fraction:
        inner += _NANOS + varint(fraction)
    stamp, prefix = _TIMESTAMP + _length(len(inner)) + inner, _LINE + _length(len(line))
    pairs = _pairs(metadata) if metadata else b""
    size = len(stamp) + len(prefix) + len(line) + len(pairs)
    return _ENTRY, _length(size), stamp, prefix, line, pairs


# -- many entries at once: their nanoseconds become varints together, in the lanes of one large number each

_FEW = 4  # entries: fewer are dearer together than one by one
_GROUP = 256  # entries at most
_FIVE_FROM, _FOUR_FROM = 1 << 28, 1 << 21  # the smallest numbers of five and of four bytes


class _Lanes:
    """So many numbers, each in eight bytes of one large number."""

    def __init__(self, many: int) -> None:
        ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * many, "little")  # one in each lane
        self._sevens = [(ones * (127 << 7 * place), place) for place in range(5)]  # seven bits; how far they move
        self._five, self._four = ones * 0x80808080, ones * 0x808080  # in all bytes but the last: more to follow
        self._bytes = 8 * many

    def varints(self, numbers: Sequence[int]) -> tuple[bytes, bytes]:
        """As varints of five bytes, and of four, each at the beginning of its lane."""
        lanes = int.from_bytes(pack(f"<{len(numbers)}Q", *numbers), "little")
        spread = 0
        for mask, place in self._sevens:
            spread |= (lanes & mask) << place
        return (spread | self._five).to_bytes(self._bytes, "little"), (spread | self._four).to_bytes(
            self._bytes, "little"
        )


_SOME, _MANY = _Lanes(32), _Lanes(_GROUP)


def _add_group(times: Sequence[int], lines: Sequence[bytes], add: Callable[[tuple[bytes, ...]], None]) -> None:
    fives, fours = (_SOME if len(times) <= 32 else _MANY).varints([nanos % SECOND for nanos in times])
    first = last = five_from = four_from = 0  # of a second, in nanoseconds; what it has less than in four bytes is rare
    heads: tuple[_Heads, _Heads] = _Heads(0, 5), _Heads(0, 4)
    for nanos, line, at in zip(times, lines, range(0, 8 * _GROUP, 8), strict=False):
        if not first <= nanos < last:
            second = nanos // SECOND
            first, last = second * SECOND, (second + 1) * SECOND
            five_from, four_from = first + _FIVE_FROM, first + _FOUR_FROM
            heads = _Heads(second, 5), _Heads(second, 4)
        if nanos >= five_from:
            head, prefix = heads[0][len(line)]
            add((head, fives[at : at + 5], prefix, line))
        elif nanos >= four_from:
            head, prefix = heads[1][len(line)]
            add((head, fours[at : at + 4], prefix, line))
        else:
            add(_entry(nanos, line))


class _Heads(dict[int, tuple[bytes, bytes]]):
    """Of a line's length: what stands before its entry's nanoseconds, and what between them and the line.

    For all entries of one second whose nanoseconds are of one size: where all is kept, lengths come again and again.
    """

    __slots__ = ("_second", "_size")

    def __init__(self, second: int, size: int) -> None:
        self._second, self._size = second, size

    def __missing__(self, length: int) -> tuple[bytes, bytes]:
        seconds, prefix = _seconds(self._second), _LINE + _length(length)
        stamp = _TIMESTAMP + _length(len(seconds) + 1 + self._size) + seconds + _NANOS
        inner = len(stamp) + self._size + len(prefix) + length
        found = self[length] = _ENTRY + _length(inner) + stamp, prefix
        return found


# -- and back


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
