"""What was written to a node's logs, and whether Loki shows each line of it once.

A line names itself by its request id, so its text alone tells which one it is. Knows no files and no agent.
"""

from collections import Counter
from dataclasses import dataclass, field

from lab.loki import Received


@dataclass(frozen=True, slots=True)
class Verdict:
    """Loki's content against what was written; all but `expected` and `copies` must be 0."""

    expected: int
    lost: int
    shown_twice: int  # with another time or other labels: a query shows both
    unexpected: int  # never written, or not to be kept
    wrong_time: int
    wrong_labels: int
    copies: int  # the same labels, time and line sent again: a query shows one

    @property
    def is_fine(self) -> bool:
        """Whether every line is there, as it was written, once."""
        return not (self.lost or self.shown_twice or self.unexpected or self.wrong_time or self.wrong_labels)

    def __str__(self) -> str:
        return (
            f"{self.expected} lines: {self.lost} lost, {self.shown_twice} shown twice, {self.unexpected} unexpected, "
            f"{self.wrong_time} wrong times, {self.wrong_labels} wrong labels; {self.copies} sent again"
        )


@dataclass(slots=True)
class Written:
    """Kept lines, with the time and some of the labels each must have."""

    lines: dict[bytes, tuple[int, dict[str, str]]] = field(default_factory=dict)
    optional: set[bytes] = field(default_factory=set)  # gone from the disk before anyone could read them

    def note(self, line: bytes, nanos: int, labels: dict[str, str]) -> None:
        """This line was written."""
        self.lines[line] = nanos, labels

    def give_up(self, line: bytes) -> None:
        """This line may arrive or not."""
        self.optional.add(line)

    def missing(self, stored: set[bytes]) -> list[bytes]:
        """Lines that must still come, in the order of writing."""
        return [line for line in self.lines if line not in stored and line not in self.optional]

    def judge(self, stored: list[Received]) -> Verdict:
        """What Loki holds, against what was written."""
        shown = Counter(entry.line for entry in stored)
        return Verdict(
            expected=len(self.lines),
            lost=len(self.missing(set(shown))),
            shown_twice=sum(times - 1 for times in shown.values()),
            unexpected=sum(line not in self.lines for line in shown),
            wrong_time=sum(entry.nanos != self.lines.get(entry.line, (entry.nanos,))[0] for entry in stored),
            wrong_labels=sum(not self._fits(entry) for entry in stored),
            copies=sum(entry.copies - 1 for entry in stored),
        )

    def _fits(self, entry: Received) -> bool:
        _, labels = self.lines.get(entry.line, (0, {}))
        return labels.items() <= entry.labels.items()
