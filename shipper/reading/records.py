"""What lies in a JSON value that is no access log itself: records of collectors and of log stores, and lists of them.

Docker's json-file, Fluent Bit, Cloud Logging, Elasticsearch, stern, logcli, Grafana's downloads, Loki's own answers:
a line stands in them as text under some key, or as an object.
"""

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Final, Generic, TypeVar

from shipper.pipeline.record import LINE_KEYS, Record, texts
from shipper.reading.origin import UNKNOWN, Origin, of_record

Found = TypeVar("Found")

_TEXTS: Final = (
    *LINE_KEYS,
    "textPayload",
    "line",
    "Line",
    "_raw",
    "MESSAGE",
    "content",
    "body",
    "event",
    "text",
    "_msg",
    "@message",
    "stringValue",
    "value",
)
# Where labels stand and the like, which may have the names of an access log's keys: ours do.
_BESIDE: Final = frozenset({"labels", "stream", "fields", "metadata", "structuredMetadata", "kubernetes", "resource"})
_DEEPEST: Final = 8  # values within values


class Search(Generic[Found]):
    """Looks through JSON values with two functions: what an object is, None for nothing; and what a text holds, each
    with its origin."""

    def __init__(
        self, of_object: Callable[[Record], Found | None], of_text: Callable[[bytes], list[tuple[Found, Origin]]]
    ) -> None:
        self._of_object, self._of_text = of_object, of_text

    def within(self, record: Record, depth: int = 0) -> Iterator[tuple[Found, Origin]]:
        """What this object's values hold, each with what stands beside it. A text comes first: what else is in such a
        record may repeat it."""
        origin = of_record(record)
        for text in texts(record, _TEXTS):
            if found := self._of_text(text):
                yield from ((one, its_origin.or_else(origin)) for one, its_origin in found)
                return
        for key, value in record.items():
            for inner, its_origin in self._in(value, depth + 1, is_beside=key in _BESIDE):
                yield inner, its_origin.or_else(origin)

    def _in(
        self, value: object, depth: int, *, is_beside: bool = False, is_within_list: bool = False
    ) -> Iterator[tuple[Found, Origin]]:
        if depth > _DEEPEST:
            return
        if isinstance(value, dict):
            if not is_beside and (found := self._of_object(value)) is not None:
                yield found, UNKNOWN
            else:
                yield from self.within(value, depth)
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, str):  # Loki's own answer: `[["1790000000000000000", "the line", {…}], …]`
                    beside = (of_record(other) for other in value if isinstance(other, dict))
                    origin = reduce(Origin.or_else, beside, UNKNOWN)
                    yield from (
                        (found, own.or_else(origin)) for found, own in self._of_text(one.encode(errors="replace"))
                    )
                else:  # within a list of lists stand labels, as in Grafana's frames, and Loki's metadata
                    is_label = isinstance(one, dict) and is_within_list
                    yield from self._in(one, depth + 1, is_beside=is_label, is_within_list=True)
