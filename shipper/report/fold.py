"""Failed connections, folded: equal ones counted together, in bounded memory.

Two are equal when both ends, the reason, the side, the certificate and the peer's network are. All views (pairs, blast
radius, causes) are made of these groups in the end. Beyond a limit the smallest groups are given up: what they held is
still in the totals, and it is known how much a group may lack of its count. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from shipper.reading.lines import Readable
from shipper.report.model import Side
from shipper.report.parties import Names
from shipper.report.timeline import Ruler, Timeline

MOST_GROUPS: Final = 4096  # kept; twice as many at a moment
MOST_DISTINCT: Final = 200_000  # addresses and pods that are told apart, of all groups together


class Kind(NamedTuple):
    """What connections are counted by; texts are empty where unknown."""

    reason: str
    side: Side
    client: Names
    server: Names
    issuer: str
    serial: str
    network: str  # of the peer's address
    node: str  # of the peer
    log_node: str  # of the proxy that wrote the line


class Sample(NamedTuple):
    """The newest line of a group, from which it is explained: what it names is there yet, as likely as not."""

    line: Readable
    fields: Mapping[str, str]  # of its log


@dataclass(slots=True)
class Group:
    """Equal connections; times are nanoseconds since 1970, and None where no line told one."""

    sample: Sample
    timeline: Timeline
    count: int = 0
    first: int | None = None
    last: int | None = None
    addresses: set[str] = field(default_factory=set)
    pods: set[str] = field(default_factory=set)  # keys of the logs
    is_cut: bool = False  # there are more addresses or pods than are told apart

    def note(self, nanos: int) -> None:
        """A connection at this time."""
        if self.first is None or nanos < self.first:
            self.first = nanos
        if self.last is None or nanos > self.last:
            self.last = nanos
        self.timeline.counts[nanos // self.timeline.step] += 1


class Total(NamedTuple):
    """What totals are kept by, whatever becomes of groups."""

    reason: str
    side: Side


class Fold:
    """Counts connections; bounded."""

    def __init__(self, most: int = MOST_GROUPS, most_distinct: int = MOST_DISTINCT) -> None:
        self._most, self._distinct = most, most_distinct
        self.ruler = Ruler()
        self.groups: dict[Kind, Group] = {}
        self.totals: dict[Total, Group] = {}
        self.given_up = 0  # groups; one that came back and went again counts twice
        self.given_up_connections = 0
        self.missed_at_most = 0  # of the true count of any group

    def add(self, kind: Kind, nanos: int | None, address: str, pod: str, sample: Sample) -> None:
        """Count a connection. `pod` names the log; times are nanoseconds since 1970."""
        group = self.groups.get(kind)
        if group is None:
            group = self.groups[kind] = Group(sample, Timeline(self.ruler.step))
        total = self.totals.get(Total(kind.reason, kind.side))
        if total is None:
            total = self.totals[Total(kind.reason, kind.side)] = Group(sample, Timeline(self.ruler.step))
        group.count += 1
        total.count += 1
        if nanos is not None:
            self.reach(nanos)
            if group.last is None or nanos >= group.last:
                group.sample = sample
            group.note(nanos)
            total.note(nanos)
        if address and address not in group.addresses:
            self._tell_apart(group, group.addresses, address)
        if pod not in group.pods:
            self._tell_apart(group, group.pods, pod)
        if len(self.groups) > 2 * self._most:
            self._give_up()

    def reach(self, nanos: int) -> None:
        """Make all timelines reach this time."""
        if not self.ruler.fits(nanos):
            for one in self._all():
                one.timeline.coarsen(self.ruler.step)

    def _all(self) -> Iterator[Group]:
        yield from self.groups.values()
        yield from self.totals.values()

    def _tell_apart(self, group: Group, among: set[str], value: str) -> None:
        if among and self._distinct <= 0:
            group.is_cut = True
            return
        self._distinct -= 1
        among.add(value)

    def _give_up(self) -> None:
        """Keep the largest groups."""
        ordered = sorted(self.groups.items(), key=lambda item: item[1].count, reverse=True)
        self.groups = dict(ordered[: self._most])
        gone = [group for _, group in ordered[self._most :]]
        self.missed_at_most += gone[0].count
        self.given_up += len(gone)
        self.given_up_connections += sum(group.count for group in gone)
        self._distinct += sum(len(group.addresses) + len(group.pods) for group in gone)


def span(groups: Iterable[Group]) -> tuple[int | None, int | None]:
    """The first and the last time of some groups."""
    all_of_them = list(groups)
    firsts = [group.first for group in all_of_them if group.first is not None]
    lasts = [group.last for group in all_of_them if group.last is not None]
    return min(firsts, default=None), max(lasts, default=None)
