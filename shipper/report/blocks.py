"""Any byte stream to blocks of whole lines: one buffer, read at memory speed.

A line that fits no buffer is passed over and counted; the last line may lack its newline.
"""

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from stringzilla import rfind

BLOCK_BYTES: Final = 1 << 20
LONGEST: Final = 16 << 20  # bytes of a line; a longer one is no access log


class Readable(Protocol):
    """What can be read into a buffer."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fill the buffer as far as that is possible; 0 at the end."""
        ...


def blocks(file: Readable, passed_over: Callable[[], None], size: int = BLOCK_BYTES) -> Iterator[memoryview]:
    """Whole lines, each block with a newline at its end; valid until the next is asked for. Raises OSError, EOFError.

    `passed_over` is called for each line of more than LONGEST bytes.
    """
    buffer, kept, is_too_long = bytearray(size), 0, False
    while read := file.readinto(memoryview(buffer)[kept:]):
        filled = kept + read
        end = rfind(memoryview(buffer)[:filled], b"\n", kept) + 1
        if end:
            begin = buffer.find(b"\n", 0, end) + 1 if is_too_long else 0
            is_too_long = False
            if begin < end:
                yield memoryview(buffer)[begin:end]
            kept = filled - end
            buffer[:kept] = buffer[end:filled]
        elif filled < len(buffer):
            kept = filled
        elif len(buffer) < LONGEST:
            buffer, kept = buffer + bytearray(len(buffer)), filled
        else:
            if not is_too_long:
                passed_over()
            is_too_long, kept = True, 0
    if kept and not is_too_long:
        buffer[kept : kept + 1] = b"\n"
        yield memoryview(buffer)[: kept + 1]
