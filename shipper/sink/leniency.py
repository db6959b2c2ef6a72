"""Answers that are valid enough, or odd beside what matters, made readable for aiohttp's parser.

A gateway may send a body with a 204, a length twice, or cookies of 60 kB. The push is stored all the same, and after an
answer that cannot be read it would be sent again, for ever. So of an answer's head only the status and the few fields
that the client uses are given to the parser.
"""

import asyncio
import re
from functools import partial
from typing import Any, Final, NamedTuple, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

LONGEST_REASON: Final = 200  # bytes
LONGEST_HEAD: Final = 1 << 20  # bytes that are held; of a longer one the rest is not looked at

_STATUS = re.compile(rb"HTTP/(?P<version>\d\.\d) +(?P<status>\d{3})(?:[ \t]+(?P<reason>[^\r\n]*))?\r?\n")
_UNUSUAL = re.compile(rb"[^ -~]+")  # what no reason may hold
_END = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"(?P<name>[^\s:]+)[ \t]*:(?P<value>.*)")
_USED = {
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"location",
    b"proxy-authenticate",
    b"retry-after",
    b"transfer-encoding",
}
_BODILESS = (204, 304)


class Head(NamedTuple):
    """The head of an answer, as the parser shall see it."""

    data: bytes
    status: int
    has_body: bool  # whether something may follow that the parser shall see
    is_clear: bool  # whether it is beyond doubt where the answer ends, so that the connection can be used again


_USUAL: Final = Head(b"HTTP/1.1 204 X\r\n\r\n", 204, has_body=False, is_clear=True)  # Loki's own; others cost 8 µs
_DECIDING: Final = (b"\nconnection", b"\ncontent-length", b"\ntransfer-encoding")


def simplified(data: bytes) -> Head | None:
    """The same head with only what the client uses of it; None when it begins with no status."""
    if data.startswith(b"HTTP/1.1 204 ") and not any(map(data.lower().__contains__, _DECIDING)):
        return _USUAL
    if not (begin := _STATUS.match(data)):
        return None
    status, fields = int(begin["status"]), _fields(data[begin.end() :])
    lengths = {part.strip() for value in fields.pop(b"content-length", []) for part in value.split(b",")}
    is_chunked = b"transfer-encoding" in fields
    has_body = status not in _BODILESS
    if not has_body:
        is_clear = not is_chunked and lengths <= {b"0"}
        fields.pop(b"transfer-encoding", None)
    else:
        is_clear = len(lengths) + is_chunked <= 1 and all(length.isdigit() for length in lengths)
        if is_clear and lengths:
            fields[b"content-length"] = [*lengths]  # else the body ends with the connection
    version = b"1.0" if begin["version"] == b"1.0" else b"1.1"
    lines = [b"HTTP/%b %d %b" % (version, status, _UNUSUAL.sub(b" ", begin["reason"] or b"")[:LONGEST_REASON])]
    lines += [b"%b: %b" % (name, b", ".join(values)) for name, values in fields.items()]
    return Head(b"\r\n".join([*lines, b"", b""]), status, has_body, is_clear)


def _fields(data: bytes) -> dict[bytes, list[bytes]]:
    """Values by name in lower case, of the fields that are used. What is no field is passed over."""
    found: dict[bytes, list[bytes]] = {}
    for line in re.sub(rb"\r?\n[ \t]+", b" ", data).splitlines():  # a value may go on in the next line
        if (field := _FIELD.match(line)) and (name := field["name"].lower()) in _USED:
            value = field["value"].strip()
            if value not in found.setdefault(name, []):
                found[name].append(value)
    return found


class LenientHandler(ResponseHandler):
    """One connection. It holds an answer's head until it is whole, and passes on what `simplified` makes of it."""

    _held: bytes | None = None  # of a head that is not whole; None: the head is passed on
    _drops = False  # whether what still comes belongs to no answer

    def set_response_params(self, **params: Any) -> None:
        self._held, self._drops = b"", False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        if self._drops:  # the answer was complete
            self._end()
        elif self._held is None:
            super().data_received(data)
        else:
            self._hold(data)

    def _hold(self, data: bytes) -> None:
        self._held = self._held + data if self._held else data
        while self._held is not None and (end := _END.search(self._held)):
            self._pass_on(self._held[: end.end()], self._held[end.end() :])
        if self._held and (len(self._held) > LONGEST_HEAD or not b"HTTP/".startswith(self._held[:5])):
            self._pass_on(self._held, b"")
            self.force_close()

    def _pass_on(self, data: bytes, rest: bytes) -> None:
        head = simplified(data)
        if head is not None and 100 <= head.status < 200 and head.status != 101:  # another one follows
            self._held = rest
            return
        self._held = None
        if head is None:
            super().data_received(data + rest)
            return
        super().data_received(head.data)  # by itself, or an error in the body would hide the status
        self._drops = not head.has_body
        if rest and head.has_body:
            super().data_received(rest)
        if not head.is_clear or (rest and self._drops):
            self.force_close()

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Tell who reads the body, too, or that would wait for the rest until the push's time is over."""
        super().set_exception(exc, *cause)
        if self._payload is not None and not self._payload.is_eof():
            self._payload.set_exception(aiohttp.ClientPayloadError(str(exc)))

    def _end(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._held:  # cut off; the status has come, perhaps
            self._pass_on(self._held, b"")
        super().connection_lost(exc)


class LenientConnector(aiohttp.TCPConnector):
    """Connections whose answers are read leniently."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._factory = cast("partial[ResponseHandler]", partial(LenientHandler, loop=asyncio.get_running_loop()))
