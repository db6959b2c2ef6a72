"""What stands around a line that somebody has copied: a viewer's frame and colours, a prefix, a collector's record.

Cuts it away; says nothing of what the line means. The agent itself reads less: the runtime's prefix, colours, and the
records of `pipeline/enclosed`, for it ships by what it reads.
"""

import re
from collections.abc import Iterator
from typing import Final

from shipper.pipeline.record import Loads, Record, parse_record

_COLOR: Final = re.compile(rb"\x1b\[[0-9;:?]*[ -/]*[@-~]")
_FRAME: Final = " \t│┃║|"
# Where an access log begins: Envoy's text, a JSON object, ztunnel's text.
_BEGIN: Final = re.compile(
    rb'\[\d{4}-\d\d-\d\dT[^\]\s]*\] "'
    rb'|\{\s*"'
    rb"|\d{4}-\d\d-\d\dT\S+\s+(?:info|warn|error)\s+(?:access|hyper_util)\s"
)
_TEXT_KEYS: Final = ("log", "textPayload", "message", "msg", "line", "_raw", "MESSAGE", "content", "body")
_DEEPEST: Final = 3  # records within records


def unframed(content: bytes) -> tuple[str, bytes]:
    """What stands before an access log, usually a pod's name, and the access log; without colours and a frame."""
    plain = _COLOR.sub(b"", content)
    text = plain.decode("utf-8", "surrogateescape").strip(_FRAME)
    bare = text.encode("utf-8", "surrogateescape")
    begin = _BEGIN.search(bare)
    start = begin.start() if begin else 0
    return bare[:start].decode("utf-8", "replace"), bare[start:]


def wrapped(record: Record, depth: int = 0) -> Iterator[Record | bytes]:
    """The records, and the lines as text, that a collector's record may hold: docker's `log`, Cloud Logging's
    `jsonPayload` and `textPayload`, Fluent Bit's, Elasticsearch's `_source`."""
    for key in _TEXT_KEYS:
        value = record.get(key)
        if isinstance(value, str):
            yield value.rstrip("\r\n").encode("utf-8", "surrogatepass")
    if depth < _DEEPEST:
        for inner in record.values():
            if isinstance(inner, dict):
                yield inner
                yield from wrapped(inner, depth + 1)


def inner_object(text: bytes, loads: Loads) -> Record | None:
    """The object in a text that is one."""
    return parse_record(text, loads) if text.lstrip()[:1] == b"{" else None
