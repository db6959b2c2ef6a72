"""An open file to the pieces of its lines in UTF-8: unpacked if it is gzip, whatever its name, and decoded.

PowerShell's `>` writes UTF-16, editors a byte order mark. A line without an end is given in parts: memory is bounded.
"""

import gzip
import io
import zlib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from typing import BinaryIO, Final

from shipper.reading.units import Piece

PART: Final = 256 * 1024  # bytes of a line that are read at once
_GZIP: Final = b"\x1f\x8b"


def pieces(file: BinaryIO) -> Iterator[Piece]:
    """The lines, or their parts, with their newlines. Raises OSError where a file cannot be read or unpacked further;
    what came before has been given then."""
    first = file.readline(PART)
    if first.startswith(_GZIP):
        yield from _unpacked(io.BufferedReader(_Rejoined(first, file)))
    elif encoding := wide_encoding(first):
        text = io.TextIOWrapper(io.BufferedReader(_Rejoined(first, file)), encoding, errors="replace", newline="\n")
        yield from _numbered(text.readline(PART).encode(errors="replace"), text)
    else:
        yield from _numbered(first.removeprefix(BOM_UTF8), file)


def wide_encoding(head: bytes) -> str | None:
    """The encoding of a text that begins so, if that is UTF-16: a log begins with two letters of ASCII."""
    if head.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return "utf-16"
    zeros = [at for at, byte in enumerate(head[:3]) if not byte]
    return "utf-16-le" if zeros == [1] else "utf-16-be" if zeros == [0, 2] else None


def _unpacked(file: BinaryIO) -> Iterator[Piece]:
    with gzip.GzipFile(fileobj=file) as inner:
        try:
            yield from pieces(io.BufferedReader(inner))
        except EOFError as error:
            raise OSError(0, "the compressed file ends too early") from error
        except (zlib.error, gzip.BadGzipFile) as error:
            raise OSError(0, f"it cannot be unpacked: {error}") from error


def _numbered(part: bytes, file: BinaryIO | io.TextIOWrapper) -> Iterator[Piece]:
    number = 1
    while part:
        ends = part.endswith(b"\n")
        yield Piece(number, part, ends)
        number += ends
        more = file.readline(PART)
        part = more if isinstance(more, bytes) else more.encode(errors="replace")


class _Rejoined(io.RawIOBase):
    """A file whose first bytes have been read already."""

    def __init__(self, begun: bytes, rest: BinaryIO) -> None:
        self._begun, self._rest = begun, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        size = len(buffer)
        found = self._begun[:size] or self._rest.read(size)
        self._begun = self._begun[size:]
        buffer[: len(found)] = found
        return len(found)
