"""The wire format of `/tap`: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

`entry`: the entry as `logcli --output=jsonl` writes it: `labels`, `line` and `timestamp`, and `metadata` where there is
structured metadata. `lost`: how many entries were left out here. `end`: the agent stops. A comment now and then says
that all is well though nothing comes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from shipper.model import Entry
from shipper.times import rfc3339

CONTENT_TYPE: Final = "text/event-stream"
ENTRY, LOST, END = "entry", "lost", "end"
LONGEST: Final = 64 << 20  # bytes of an event: a line of 16 MiB, escaped
ALIVE: Final = b": alive\n\n"


class Event(NamedTuple):
    """One event: its kind, and what it carries."""

    kind: str
    data: Any = None


def written(event: Event) -> bytes:
    """The event as it goes over the wire."""
    return b"event: %b\ndata: %b\n\n" % (event.kind.encode(), orjson.dumps(event.data))


def of_entry(labels: Mapping[str, str], entry: Entry) -> Event:
    """A kept line."""
    data: dict[str, Any] = {"labels": labels, "line": entry.line.decode(errors="backslashreplace")}
    if entry.metadata:
        data["metadata"] = dict(entry.metadata)
    return Event(ENTRY, data | {"timestamp": rfc3339(entry.nanos)})


class Reading:
    """Bytes of the stream to events, however they are cut."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._rest = b""
        self._longest = longest

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that end here. Raises ValueError where this is no stream of ours."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        if len(self._rest) > self._longest:
            raise ValueError("an event without an end")
        for text in whole:
            fields = dict(line.partition(b": ")[::2] for line in text.split(b"\n"))
            if kind := fields.get(b"event"):
                yield Event(kind.decode(errors="replace"), orjson.loads(fields.get(b"data", b"null")))
