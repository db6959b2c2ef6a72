"""When it happened: counts by time, in steps that grow with the span, so that any number of days takes the same memory.

All timelines share one ruler. Each step is a multiple of the one before, so counts are only ever added up.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from shipper.times import SECOND

_SECONDS: Final = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 86400)
MOST_STEPS: Final = 160  # between the first and the last time


class Ruler:
    """The step of now, in nanoseconds, and the span that was seen."""

    def __init__(self) -> None:
        self.step = _SECONDS[0] * SECOND
        self.begin: int | None = None
        self.end: int | None = None
        self._limit = (0, 0)  # times within need no look

    def fits(self, nanos: int) -> bool:
        """Whether this time is within the span as the step covers it; grows the span, perhaps the step: then False."""
        if self._limit[0] <= nanos < self._limit[1]:
            return True
        self.begin = nanos if self.begin is None else min(self.begin, nanos)
        self.end = nanos if self.end is None else max(self.end, nanos)
        before = self.step
        while self.end // self.step - self.begin // self.step >= MOST_STEPS:
            self.step = _next(self.step)
        self._limit = (self.begin, self.end + 1)
        return self.step == before


def _next(step: int) -> int:
    seconds = step // SECOND
    return next((one for one in _SECONDS if one > seconds), seconds * 2) * SECOND


class Timeline:
    """Counts by time, on one ruler."""

    __slots__ = ("counts", "step")

    def __init__(self, step: int) -> None:
        self.step = step
        self.counts: Counter[int] = Counter()  # by number of the step since 1970

    def coarsen(self, step: int) -> None:
        """Take a step that is a multiple of the one of now."""
        if step != self.step:
            counts: Counter[int] = Counter()
            for at, count in self.counts.items():
                counts[at * self.step // step] += count
            self.counts, self.step = counts, step


def merged(timelines: Iterable[Timeline], step: int) -> Timeline:
    """The sum of some timelines."""
    total = Timeline(step)
    for one in timelines:
        one.coarsen(step)
        total.counts.update(one.counts)
    return total


def width(begin: int, end: int, step: int, most: int) -> int:
    """How many steps one of at most so many columns is wide, from the step of `begin` to that of `end`."""
    return -(-(end // step - begin // step + 1) // most)


def columns(timeline: Timeline, begin: int, end: int, most: int) -> list[int]:
    """Counts in at most so many columns of equal length, from the step of `begin` to that of `end`."""
    first, last = begin // timeline.step, end // timeline.step
    wide = width(begin, end, timeline.step, most)
    counts = [0] * -(-(last - first + 1) // wide)
    for at, count in timeline.counts.items():
        if first <= at <= last:
            counts[(at - first) // wide] += count
    return counts


BARS: Final = "·▁▂▃▄▅▆▇█"
PLAIN_BARS: Final = "_.:-=+*#@"


def sparkline(counts: Sequence[int], bars: str = BARS) -> str:
    """One character a column: the first of the bars for none, the last for the highest."""
    most = max(counts, default=0)
    return "".join(bars[-(-count * (len(bars) - 1) // most)] if count else bars[0] for count in counts)
