"""Many answers to a few: failures by reason, side, client and server, counted, and everything else by kind.

A client can send new names without end, so only so many combinations are kept; what comes after is counted as well.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shipper.explain.report import Report
from shipper.pipeline.failure import DOWNSTREAM
from shipper.pipeline.record import without_port
from shipper.reading.lines import NoAccessLog, Unreadable
from shipper.times import parse_iso_time

MOST: Final = 2000  # combinations
MOST_ADDRESSES: Final = 1000  # that are told apart, of one combination
UNREADABLE, NO_ACCESS_LOG = "unreadable", "no_access_log"

Answer = Report | Unreadable | NoAccessLog


class Pair(NamedTuple):
    """What makes two failures equal."""

    reason: str
    side: str | None
    who: str
    whom: str


@dataclass(slots=True)
class Group:
    """Equal failures: the first that was read, and of all the count, the first and the last time."""

    report: Report
    count: int = 0
    first: str | None = None
    last: str | None = None
    addresses: set[str] = field(default_factory=set)  # of the client, without ports

    def add(self, report: Report) -> None:
        """Another one."""
        self.count += 1
        if report.who.address and len(self.addresses) < MOST_ADDRESSES:
            self.addresses.add(without_port(report.who.address))
        time = report.time
        if time is None or (nanos := parse_iso_time(time)) is None:
            return
        if self.first is None or nanos < (parse_iso_time(self.first) or 0):
            self.first = time
        if self.last is None or nanos > (parse_iso_time(self.last) or 0):
            self.last = time


class Fold:
    """The answers so far."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._groups: dict[Pair, Group] = {}
        self.more: Counter[str] = Counter()  # failures of combinations that are not kept, by reason
        self.rest: Counter[str] = Counter()  # everything else, by verdict or kind
        self.lines = 0

    def add(self, answer: Answer) -> None:
        """Count one."""
        self.lines += 1
        if not isinstance(answer, Report):
            self.rest[UNREADABLE if isinstance(answer, Unreadable) else NO_ACCESS_LOG] += 1
        elif answer.failure_reason is None:
            self.rest[answer.verdict] += 1
        else:
            pair = pair_of(answer)
            if pair in self._groups or len(self._groups) < self._most:
                self._groups.setdefault(pair, Group(answer)).add(answer)
            else:
                self.more[pair.reason] += 1

    @property
    def failures(self) -> int:
        """The number of failures, of all combinations."""
        return sum(group.count for group in self._groups.values()) + self.more.total()

    def __iter__(self) -> Iterator[Group]:
        """The most frequent first, and of equal ones the one that was read first."""
        return iter(sorted(self._groups.values(), key=lambda group: -group.count))

    def __len__(self) -> int:
        """The number of combinations that are kept."""
        return len(self._groups)


def pair_of(report: Report) -> Pair:
    """What this failure is counted by. A client's port is a new one with each connection, so it says nothing. Where it
    is known which workload had its address, that is the name."""
    who, to = report.who, report.to
    had = report.peer.workload if report.side == DOWNSTREAM else ""
    client = who.san or who.subject or had or without_port(who.address or "")
    names = (to.san, to.sni) if report.side == DOWNSTREAM else (to.cluster, to.san, to.sni, to.authority, to.host)
    server = next(filter(None, names), None) or to.address or ""
    return Pair(report.failure_reason or "", report.side, client, server)
