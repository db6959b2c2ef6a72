"""JSON that comes in pieces, cut into the values that are wanted of it: one object, or the elements of a list.

Looks at brackets and strings alone; whether a value is JSON, its parser says.
"""

import re
from typing import Final

_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_OPENING: Final = (b"{", b"[")
_CLOSING: Final = (b"}", b"]")
_BLANKS: Final = 64  # that are looked through for the last sign


class JsonText:
    """One JSON text: `feed` it; `ended` once its last bracket has come."""

    def __init__(self, *, is_list: bool) -> None:
        self._level = 1 if is_list else 0  # how deep the values lie that are wanted
        self._open = bytearray()  # the brackets that are open
        self._text = bytearray()  # from the current value on
        self._at = 0  # what is before has been looked at
        self._start: int | None = None  # of the current value in the text
        self.line = 0  # where begins what is held
        self.ended = False

    def __len__(self) -> int:
        """The bytes that are held."""
        return len(self._text)

    @property
    def held(self) -> bytes:
        """What has come of the current value, or of what follows it."""
        return bytes(self._text)

    @property
    def in_string(self) -> bool:
        """Whether the last piece ended within a string."""
        return self._text.startswith(b'"', self._at)

    @property
    def wants_key(self) -> bool:
        """Whether nothing but a key, or the end of an object, can come next."""
        return self._open.endswith(b"{") and self._text[-_BLANKS:].rstrip().endswith((b",", b"{"))

    def feed(self, line: int, piece: bytes) -> list[tuple[int, bytes]]:
        """The values that this piece of a line completes, each with the line where it began. What follows the end
        stays in `held`."""
        self._text += piece
        values: list[tuple[int, bytes]] = []
        for token in _TOKEN.finditer(self._text, self._at):
            self._at = token.start()
            sign = bytes(token[0])
            if sign == b'"':
                break  # its end has not come
            self._at = token.end()
            if (value := self._took(line, sign, token.start())) is not None:
                values.append((self.line, value))
            if self.ended:
                break
        else:
            self._at = len(self._text)
        keep = self._at if self._start is None else self._start
        del self._text[:keep]
        self._at -= keep
        if self._start is None:
            self.line = line
        else:
            self._start = 0
        return values

    def _took(self, line: int, sign: bytes, start: int) -> bytes | None:
        """The value that ends with this sign."""
        is_wanted = len(self._open) == self._level
        if sign in _OPENING:
            if is_wanted:
                self._start, self.line = start, line
            self._open += sign
            return None
        if sign not in _CLOSING:
            if self._level and is_wanted:  # a text in a list
                self.line = line
                return sign
            return None
        del self._open[-1:]
        self.ended = not self._open
        if len(self._open) != self._level or self._start is None:
            return None
        begun, self._start = self._start, None
        return bytes(self._text[begun : self._at])
