"""The result of a block: entries by stream, and how many lines were filtered or dropped, by reason.

Each complete line is counted once, so that the ledger adds up.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from shipper.model import Columns
from shipper.pipeline.audit import FailureKind
from shipper.pipeline.peers import NO_PEER, Asked, Peer

KEPT = "kept"
# reasons to filter a line
NOT_KEPT, NOT_JSON, TEXT_FORMAT, MALFORMED = "no_match", "not_json", "text_format", "malformed"
UNKNOWN_FORMAT = "unknown_format"  # JSON of a target whose lines have had none of the access log's keys so far
UNCLEAR = "text_unclear"  # a text access log that can be read in two ways, which a client can bring about
TOO_LONG = "line_too_long"  # the reason to drop one


@dataclass(slots=True)
class Unanswered:
    """A kept line that is not finished yet, since its peer is not known, or that of a line before it."""

    asked: Asked  # about its peer
    peer: Peer | None  # None: that must be asked
    memory: int  # bytes, about
    finish: Callable[[Peer, "Result"], None]  # makes its entry and counts it

    @property
    def address(self) -> str:
        """Whose address it is about, without port and brackets; empty where it has none."""
        return self.asked.address

    @property
    def at(self) -> int:
        """The time that is asked about, in nanoseconds since 1970."""
        return self.asked.at


@dataclass(slots=True)
class Result:
    """Counts of lines: lines = kept + filtered + dropped + those that are unanswered."""

    lines: int = 0  # complete lines
    streams: dict[str, Columns] = field(default_factory=dict)  # by label text
    filtered: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    overflowed: Counter[str] = field(default_factory=Counter)  # kept lines that lost a label value, by label
    failures: Counter[FailureKind] = field(default_factory=Counter)  # failed handshakes, each connection once
    peers: Counter[tuple[str, str]] = field(default_factory=Counter)  # kept lines that have one, by kind and reason
    unanswered: list[Unanswered] = field(default_factory=list)  # kept lines, in their order; see `TargetPipeline.named`

    def questions(self) -> list[tuple[str, int]]:
        """The addresses and times, in nanoseconds, that must be asked about to finish what is unanswered."""
        return list(dict.fromkeys(line.asked for line in self.unanswered if line.peer is None))

    def rest(self) -> "Result":
        """What is still to be handed on, once the counts are entered: the entries, and the lines to be finished."""
        return Result(streams=self.streams, unanswered=self.unanswered)

    def stream(self, labels: str) -> Columns:
        """The entries of the stream with this label text."""
        columns = self.streams.get(labels)
        if columns is None:
            columns = self.streams[labels] = Columns()
        return columns

    def name(self, peer: Peer) -> None:
        """Count the peer of a kept line, if it has one."""
        if peer is not NO_PEER:
            self.peers[peer.counted] += 1

    @property
    def kept(self) -> int:
        """Entries in all streams."""
        return sum(map(len, self.streams.values()))

    def note(self, reason: str) -> None:
        """Count a line by its reason; a kept line is counted by its entry."""
        if reason == TOO_LONG:
            self.dropped[reason] += 1
        elif reason != KEPT:
            self.filtered[reason] += 1
