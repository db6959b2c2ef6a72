"""What a block comes to: kept entries by stream, and how many lines became what else.

Each complete line is in here once, so that the books close.
"""

from collections import Counter
from dataclasses import dataclass, field

from shipper.model import Kept
from shipper.pipeline.audit import FailureKind

KEPT = "kept"
# why a line is filtered
NOT_KEPT, NOT_JSON, TEXT_FORMAT, MALFORMED = "no_match", "not_json", "text_format", "malformed"
UNCLEAR = "text_unclear"  # a text access log that can be read in two ways: a client has made it so
TOO_LONG = "line_too_long"  # why it is dropped


@dataclass(slots=True)
class Result:
    """What a block came to: lines = kept + filtered + dropped."""

    lines: int = 0  # complete ones
    streams: dict[str, Kept] = field(default_factory=dict)  # by label text
    filtered: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    overflowed: Counter[str] = field(default_factory=Counter)  # kept ones that lost a label value, by label
    failures: Counter[FailureKind] = field(default_factory=Counter)  # failed handshakes, each connection once

    def stream(self, labels: str) -> Kept:
        """What is kept of the stream."""
        kept = self.streams.get(labels)
        if kept is None:
            kept = self.streams[labels] = Kept()
        return kept

    @property
    def kept(self) -> int:
        """Entries in all streams."""
        return sum(map(len, self.streams.values()))

    def note(self, outcome: str) -> None:
        """Count a line by what became of it; a kept one is among the entries."""
        if outcome == TOO_LONG:
            self.dropped[outcome] += 1
        elif outcome != KEPT:
            self.filtered[outcome] += 1
