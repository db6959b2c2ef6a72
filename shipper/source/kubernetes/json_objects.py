"""A long JSON text to the objects in it, one at a time, so that a list of ten thousand is never held as a whole.

Finds where objects begin and end, and no more; what is in them, and whether it is JSON at all, others see.
"""

import re
from collections.abc import Iterator
from typing import Final

# Up to the next brace that is not in a string; without one, or inside a string that goes on, there is no match.
_BRACE = re.compile(rb'[^"{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}]*+)*+([{}])', re.DOTALL)

MAX_OBJECT: Final = 4 << 20  # bytes; etcd takes 1.5 MiB


class ObjectTooLarge(ValueError):
    """No object of the API is that large."""


class ObjectSplitter:
    """Takes a text in pieces of any size; gives the objects that stand `depth` braces deep, 1 being the outermost."""

    def __init__(self, depth: int) -> None:
        self._wanted = depth
        self._depth = 0
        self._text = b""
        self._at = 0  # everything before has been looked at
        self._start = 0  # of the object that is open; or of what is still needed

    @property
    def is_closed(self) -> bool:
        """Whether all braces that were opened are closed: a text that breaks off before is not all there was."""
        return self._depth == 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The objects that end in this piece. Raises ObjectTooLarge."""
        self._text, self._at, self._start = self._text[self._start :] + data, self._at - self._start, 0
        while brace := _BRACE.match(self._text, self._at):
            self._at = brace.end()
            if brace[1] == b"{":
                self._depth += 1
                if self._depth == self._wanted:
                    self._start = self._at - 1
            else:
                if self._depth == self._wanted:
                    yield self._text[self._start : self._at]
                self._depth -= 1
            if self._depth < self._wanted:
                self._start = self._at
        if len(self._text) - self._start > MAX_OBJECT:
            raise ObjectTooLarge(f"an object of more than {MAX_OBJECT} bytes")
