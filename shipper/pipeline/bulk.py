"""The bulk path: two and more candidates of a block, up to 128 of them per step.

When handshakes fail in masses, all lines are kept, and one step of Python per line costs as much as a call of C. So
lines as containerd writes them, whose label text is known already, are taken together: nearly each step is one call
for all of them. Lines that it cannot handle fall back to the per-line path.
Tried and left: many lines as one JSON array (7 % faster to parse, but the copy that joins them costs more).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Final, NamedTuple

from shipper.model import Metadata
from shipper.pipeline.assemble import Assembler, Plan
from shipper.pipeline.cri import PLAIN
from shipper.pipeline.failure import Failure
from shipper.pipeline.peers import NO_PEER, Peer
from shipper.pipeline.record import Record
from shipper.pipeline.result import Result
from shipper.times import parse_times

STEP: Final = 128  # lines: so few that what is made of them stays in the processor's cache

Fallback = Callable[[bytes], str]
"""The per-line path: takes one line and returns its reason."""

_Adders = tuple[Callable[[int], None], Callable[[bytes], None], Callable[[Metadata], None] | None]
_NONE: Final["repeat[Metadata]"] = repeat(())
_UNJUDGED: Final["repeat[None]"] = repeat(None)
_NO_PEERS: Final["repeat[Peer | None]"] = repeat(NO_PEER)
_FIRST = itemgetter(0)
_BRACE = {b"{"[0]}
_OF_ZTUNNEL = b'"scope":"access"'  # where one line is, nearly all are; a wrong guess costs only time


class BulkPath:
    """Takes the candidate lines of one target."""

    def __init__(self, plan: Plan, assembler: Assembler) -> None:
        self._assembler, self._texts, self._peers = assembler, assembler.texts, assembler.peers
        self._metadata = assembler.metadata
        self._is_decided = assembler.is_decided  # the values of the keys decide
        self._keys, self._values = assembler.keys, itemgetter(*assembler.keys)
        self._loads, self._longest = plan.loads, plan.max_line_size

    def take(self, lines: Sequence[bytes], found: Result, fallback: Fallback) -> Counter[str]:
        """Add the lines to keep to the result; returns the reasons of the lines that fell back, with their number."""
        reasons: Counter[str] = Counter()
        for at in range(0, len(lines), STEP):
            self._take(lines[at : at + STEP], found, fallback, reasons)
        return reasons

    def _take(self, lines: Sequence[bytes], found: Result, fallback: Fallback, reasons: Counter[str]) -> None:
        """One step. Where a line cannot be handled, each half of the step is tried, down to that line alone."""
        if found.unanswered:  # those that follow are, too
            reasons.update(map(fallback, lines))
            return
        looked_up = self._look_up(lines)
        if looked_up is None and len(lines) == 1:
            reasons[fallback(lines[0])] += 1
        elif looked_up is None:
            middle = len(lines) // 2
            self._take(lines[:middle], found, fallback, reasons)
            self._take(lines[middle:], found, fallback, reasons)
        else:
            self._add(lines, looked_up, found, fallback, reasons)

    def _add(
        self, lines: Sequence[bytes], step: "LookedUp", found: Result, fallback: Fallback, reasons: Counter[str]
    ) -> None:
        into: dict[str, _Adders] = {}
        unanswered, taken = found.unanswered, list[tuple[Failure | None, Record]]()
        named: list[Peer | None] = []
        for line, labels, nanos, content, metadata, judged, peer in zip(
            lines,
            step.labels,
            step.times,
            step.contents,
            step.metadata or _NONE,
            step.judged or _UNJUDGED,
            step.peers or _NO_PEERS,
            strict=False,
        ):
            if labels is None or nanos is None or unanswered:
                reasons[fallback(line)] += 1
                continue
            if labels not in into:
                columns = found.stream(labels)
                beside = columns.started_metadata().append if step.metadata else None
                into[labels] = columns.times.append, columns.lines.append, beside
            add_time, add_line, add_metadata = into[labels]
            add_time(nanos)
            add_line(content)
            if add_metadata is not None:
                add_metadata(metadata)
            if judged is not None:
                taken.append(judged)
                named.append(peer)
        if taken:
            self._assembler.count_many(taken, named, found)

    def _look_up(self, lines: Sequence[bytes]) -> "LookedUp | None":
        """What is known of these lines; None when any of them is not as containerd and Envoy write lines."""
        loads = self._loads
        texts, _, contents = zip(*[line.partition(PLAIN) for line in lines], strict=True)
        times = parse_times(texts)
        peers: Sequence[Peer | None] = ()
        try:
            firsts = set(map(_FIRST, contents))
            if firsts.isdisjoint(_BRACE) or _OF_ZTUNNEL in contents[0]:  # text, or ztunnel's: all fall back
                return LookedUp((None,) * len(lines), contents, (None,) * len(lines), (), (), None)
            if firsts != _BRACE or max(map(len, contents)) > self._longest:
                return None
            if self._is_decided and not self._metadata:
                judged: list[tuple[Failure | None, Record]] = []
                values = self._values_of(map(loads, contents)) or self._missing(map(loads, contents))
            else:
                records = list(map(loads, contents))
                judged = list(zip(map(self._assembler.judge, records), records, strict=True))
                values = self._values_of(records) or self._missing(records)
            verdicts = [failure for failure, _ in judged]
            keys: Iterable[tuple[object, ...]] = values if self._is_decided else zip(verdicts, values, strict=True)
            if self._peers is not None:
                peers = self._peers.find_many(judged, times)
                beside = [None if peer is None else peer.labels for peer in peers]  # None: no label text is known
                keys = zip(verdicts, values, beside, strict=True)
            labels = list(map(self._texts.get, keys))
            metadata = self._metadata.of_many(judged, peers) if self._metadata else None
        except (ValueError, TypeError, IndexError):  # no JSON; a value that is an object or a list; an empty line
            return None
        return LookedUp(times, contents, labels, judged, peers, metadata)

    def _values_of(self, records: Iterable[Record]) -> list[tuple[object, ...]]:
        """The values of the keys; empty where a record lacks one. A record lives only until the next is parsed."""
        try:
            return list(map(self._values, records))
        except KeyError:
            return []

    def _missing(self, records: Iterable[Record]) -> list[tuple[object, ...]]:
        """The same for records that lack some of the keys."""
        return [tuple(map(record.get, self._keys)) for record in records]


class LookedUp(NamedTuple):
    """What is known of the lines of a step, in columns."""

    times: Sequence[int | None]
    contents: Sequence[bytes]
    labels: Sequence[str | None]  # None: not kept, or not seen before
    judged: Sequence[tuple[Failure | None, Record]]  # verdicts and records; empty where the keys decide
    peers: Sequence[Peer | None]  # None: to be asked for; empty where nobody is
    metadata: Sequence[Metadata] | None  # None: none is configured
