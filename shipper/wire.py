"""Loki's push request as protobuf bytes, written by hand.

Field numbers and types as in proto/push.proto. The general library would make three objects of every entry;
this makes none. Knows nothing of compression or HTTP.
"""

from collections.abc import Sequence

from shipper.model import Entry

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


def _stamp_heads(second: int) -> tuple[bytes, bytes]:
    """What stands before nanoseconds of five bytes, and of four."""
    seconds = _SECONDS + varint(second) if second else b""
    five, four = (_TIMESTAMP + _SHORT[len(seconds) + 1 + size] + seconds + _NANOS for size in (5, 4))
    return five, four


def _short_stamp(second: int, fraction: int) -> bytes:
    """A whole timestamp whose nanoseconds need fewer than four bytes."""
    inner = _SECONDS + varint(second) if second else b""
    if fraction:
        inner += _NANOS + varint(fraction)
    return _TIMESTAMP + _SHORT[len(inner)] + inner


def _pairs(metadata: Sequence[tuple[str, str]]) -> bytes:
    parts: list[bytes] = []
    for name, value in metadata:
        inner = _text(_NAME, name) + _text(_VALUE, value)
        parts += (_METADATA, _length(len(inner)), inner)
    return b"".join(parts)


def _text(key: bytes, text: str) -> bytes:
    raw = text.encode(errors="replace")
    return key + _length(len(raw)) + raw if raw else b""


def encode(labels: str, entries: Sequence[Entry]) -> bytes:
    """A push request of one stream. Lines go as they are, valid UTF-8 or not.

    A time must fit Timestamp: its seconds are a signed number of 64 bits.
    """
    parts: list[bytes] = []
    add, short, pair, size = parts.extend, _SHORT, _PAIR, 0
    last, five, four = None, b"", b""
    for nanos, line, metadata in entries:
        second, fraction = divmod(nanos, SECOND)
        if second != last:
            last, (five, four) = second, _stamp_heads(second)
        if fraction >> 28:  # three of four times
            stamp = five + pair[fraction & 16383] + pair[fraction >> 14 & 16383] + short[fraction >> 28]
        elif fraction >> 21:
            stamp = four + pair[fraction & 16383] + short[fraction >> 14]
        else:
            stamp = _short_stamp(second, fraction)
        length = len(line)
        prefix = short[length] if length < _TABLED else varint(length)
        inner = len(stamp) + 1 + len(prefix) + length
        if metadata:
            pairs = _pairs(metadata)
            inner += len(pairs)
            before = varint(inner)
            add((_ENTRY, before, stamp, _LINE, prefix, line, pairs))
        else:
            before = short[inner] if inner < _TABLED else varint(inner)
            add((_ENTRY, before, stamp, _LINE, prefix, line))
        size += 1 + len(before) + inner
    name = _text(_LABELS, labels)
    return b"".join((_STREAM, varint(len(name) + size), name, *parts))
