"""What the agent adds to a line, and Loki may refuse: structured metadata and labels. A line is worth more.

A line that is refused only for its metadata goes without it. A stream that is refused for its labels goes with one
label less, the longest first, until Loki takes it; the line keeps the truth. Both are remembered, so that not every
push is refused first. Knows nothing of requests.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Collection
from math import inf

from shipper.log import Seldom
from shipper.sink.batch import Batch
from shipper.sink.newest import REMEMBERED_STREAMS

log = logging.getLogger(__name__)

_METADATA = {"structured_metadata_disallowed", "structured_metadata_too_large", "structured_metadata_too_many"}
_LABELS = {
    "max_label_names_per_series",
    "label_name_too_long",
    "label_value_too_long",
    "duplicate_label_names",
    "invalid_labels",
}
ADDED = frozenset(_METADATA | _LABELS)
"""Loki's reasons that are not about the line."""

METADATA_REMEMBERED_FOR = 600.0  # seconds
_PAIR = re.compile(r'\w+="(?:[^"\\]|\\.)*"')


class Additions:
    """What is left out of what is sent."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._reports = Seldom(clock)
        self._labels: OrderedDict[str, tuple[str, str]] = OrderedDict()  # by the stream's own: those sent, the reason
        self._metadata_reason, self._metadata_until = "", 0.0

    def labels(self, labels: str) -> tuple[str, str]:
        """The labels that a stream is sent with, and the reason of Loki's why they are fewer than its own, or empty."""
        return self._labels.get(labels, (labels, ""))

    def adapted(self, batch: Batch) -> Batch:
        """The batch, without metadata while Loki refuses it."""
        if not self._metadata_reason or batch.body:
            return batch
        if self._clock() >= self._metadata_until:
            self._metadata_reason = ""
            return batch
        return batch.without_metadata(self._metadata_reason)

    def reduced(
        self, labels: str, refused: Batch, reasons: Collection[str], text: str, *, all_refused: bool
    ) -> Batch | None:
        """Entries of the stream with these labels, without what they were refused for; None: nothing can be left out.

        `reasons`: Loki's. `all_refused`: no entry of the request passed.
        """
        reason = min(reasons)
        if reason in _LABELS:
            fewer = _without_longest(refused.labels)
            if not fewer:
                return None
            self._labels[labels] = fewer, reason
            if len(self._labels) > REMEMBERED_STREAMS:
                self._labels.popitem(last=False)
            self._tell(reason, f"its streams go with fewer labels, such as {fewer:.200}", text)
            return refused.with_labels(fewer, reason)
        if refused.unpacked().metadata is None:
            return None
        if all_refused and reason != "structured_metadata_too_large":
            self._metadata_reason, self._metadata_until = reason, self._clock() + METADATA_REMEMBERED_FOR
        self._tell(reason, "lines go without it, and are complete all the same", text)
        return refused.without_metadata(reason)

    def _tell(self, reason: str, what: str, text: str) -> None:
        if self._reports.due(reason, inf):
            log.warning("Loki refuses what is added to lines (%s): %s; said once: %.300s", reason, what, text)


def _without_longest(labels: str) -> str:
    """The label text without its longest label; empty when none would be left."""
    pairs = _PAIR.findall(labels)
    if len(pairs) < 2:
        return ""
    pairs.remove(max(pairs, key=len))
    return "{" + ", ".join(pairs) + "}"
