"""The candidates of a block, many at once.

In a storm of failures all lines are kept, and a step of Python's own costs as much as a call of C. So lines as
containerd writes them, whose label text is known, go together: nearly each step is one call for all of them. What is
odd goes the long way, one by one; with structured metadata everything does. Tried and left: many lines as one JSON
array (7 % faster to parse, and the copy that joins them costs more).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

import orjson

from shipper.pipeline.assemble import Assembler, Plan
from shipper.pipeline.cri import PLAIN
from shipper.pipeline.failure import Failure
from shipper.pipeline.record import Record
from shipper.pipeline.result import Result
from shipper.times import parse_times

TOGETHER: Final = 128  # lines: so few that what is made of them stays in the processor's cache

Odd = Callable[[bytes], str]
"""Takes one line the long way; what became of it."""

_FIRST = itemgetter(0)
_BRACE = {b"{"[0]}


class BulkPath:
    """Candidates of one target."""

    def __init__(self, plan: Plan, assembler: Assembler) -> None:
        self._assembler, self._texts = assembler, assembler.texts
        self._judge = None if plan.rule.decided_by else plan.rule.judge  # None: the keys' values are enough
        self._keys, self._values = assembler.keys, itemgetter(*assembler.keys)
        self._longest = plan.max_line_size
        self._together = 1 if plan.metadata else TOGETHER

    def take(self, lines: Sequence[bytes], found: Result, take_odd: Odd) -> Counter[str]:
        """Keep what is worth it of these lines; what became of the odd ones, how many of each."""
        outcomes: Counter[str] = Counter()
        for at in range(0, len(lines), self._together):
            self._take(lines[at : at + self._together], found, take_odd, outcomes)
        return outcomes

    def _take(self, lines: Sequence[bytes], found: Result, take_odd: Odd, outcomes: Counter[str]) -> None:
        """A few lines; where any of them cannot go together with others, half of them may."""
        known = self._look_up(lines) if self._together > 1 else None
        if known is None and len(lines) == 1:
            outcomes[take_odd(lines[0])] += 1
        elif known is None:
            middle = len(lines) // 2
            self._take(lines[:middle], found, take_odd, outcomes)
            self._take(lines[middle:], found, take_odd, outcomes)
        else:
            self._keep(lines, known, found, take_odd, outcomes)

    def _keep(
        self, lines: Sequence[bytes], known: "Known", found: Result, take_odd: Odd, outcomes: Counter[str]
    ) -> None:
        into: dict[str, tuple[Callable[[int], None], Callable[[bytes], None]]] = {}
        for line, labels, nanos, content in zip(lines, known.labels, known.times, known.contents, strict=True):
            if labels is None or nanos is None:
                outcomes[take_odd(line)] += 1
                continue
            if labels not in into:
                kept = found.stream(labels)
                into[labels] = kept.times.append, kept.lines.append
            add_time, add_line = into[labels]
            add_time(nanos)
            add_line(content)
        for labels, nanos, (failure, record) in zip(known.labels, known.times, known.failures, strict=False):
            if labels is not None and nanos is not None:
                self._assembler.count(failure, record, found)

    def _look_up(self, lines: Sequence[bytes]) -> "Known | None":
        """What is known of these lines; None where any of them is not as containerd and Envoy write them."""
        times, _, contents = zip(*[line.partition(PLAIN) for line in lines], strict=True)
        try:
            if set(map(_FIRST, contents)) != _BRACE or max(map(len, contents)) > self._longest:
                return None
            if self._judge is None:
                failures: list[tuple[Failure | None, Record]] = []
                values = self._values_of(map(orjson.loads, contents)) or self._missing(map(orjson.loads, contents))
            else:
                records = list(map(orjson.loads, contents))
                verdicts = list(map(self._judge, records))
                failures = list(zip(verdicts, records, strict=True))
                values = list(zip(verdicts, self._values_of(records) or self._missing(records), strict=True))
            labels = list(map(self._texts.get, values))
        except (ValueError, TypeError, IndexError):  # no JSON, a value that is an object or a list, nothing at all
            return None
        return Known(parse_times(times), contents, labels, failures)

    def _values_of(self, records: Iterable[Record]) -> list[tuple[object, ...]]:
        """The values of the keys; none at all where one is missing. Records are not held: each is made where the last
        one was."""
        try:
            return list(map(self._values, records))
        except KeyError:
            return []

    def _missing(self, records: Iterable[Record]) -> list[tuple[object, ...]]:
        """The same for records without some of the keys."""
        return [tuple(map(record.get, self._keys)) for record in records]


class Known(NamedTuple):
    """What is known of some lines, in columns."""

    times: Sequence[int | None]
    contents: Sequence[bytes]
    labels: Sequence[str | None]  # None: not kept, or not seen before
    failures: Sequence[tuple[Failure | None, Record]]  # and their records, where these are needed to count them
