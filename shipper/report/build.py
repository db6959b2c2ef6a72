"""What was gathered to the finished report. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from shipper.pipeline.failure import DOWNSTREAM, REASONS, UPSTREAM
from shipper.report import words
from shipper.report.advice import advice
from shipper.report.findings import World, findings, ordered
from shipper.report.fold import Group, span
from shipper.report.gather import Gathered
from shipper.report.model import (
    VERSION,
    Against,
    Distinct,
    Growth,
    LeftOut,
    Party,
    Radius,
    Reason,
    Report,
    Row,
)
from shipper.report.resolve import Connection, identities_of, resolved
from shipper.report.timeline import Timeline, columns, width
from shipper.report.timeline import merged as merged_timelines
from shipper.times import SECOND

COLUMNS: Final = 60  # of a trend, at most
MOST_OTHERS: Final = 10
_PATIENCE: Final = 60 * SECOND  # a pause that is no end
_PAUSES: Final = 3  # times its own pace: a longer pause is an end

MOST_RADII: Final = 100

Key = TypeVar("Key")

Pair = tuple[str, str, Party, Party]
"""Reason, side, client and server: what is one row."""


@dataclass(slots=True)
class Merged:
    """The groups of one row, client, server or reason, added up."""

    parts: list[Connection]
    connections: int
    first: int | None
    last: int | None
    timeline: Timeline


class Builder:
    """Makes the parts of one report."""

    def __init__(self, gathered: Gathered, source: str, before: Gathered | None = None) -> None:
        self._gathered, self._source, self._before = gathered, source, before
        fold = gathered.fold
        first, last = span(fold.totals.values())
        gathered.spans(first, last)
        self._begin, self._end = gathered.begin, gathered.end
        self._total = sum(group.count for group in fold.totals.values())
        for time in filter(None, (self._begin, self._end)):
            fold.reach(time)
        earlier = before.fold.groups if before else {}
        identities = identities_of([*fold.groups, *earlier])
        self._connections = resolved(fold.groups.items(), identities)
        self._earlier = {_pair(one) for one in resolved(earlier.items(), identities)}

    def report(self, rows: int) -> Report:
        """The whole; `rows` is how many rows it has at most."""
        fold, by_pair = self._gathered.fold, _merged(self._connections, _pair, self._step())
        all_rows = sorted(by_pair.items(), key=lambda item: (-item[1].connections, str(item[0])))
        shown = all_rows[:rows]
        shown_connections = sum(merged.connections for _, merged in shown)
        return Report(
            version=VERSION,
            source=self._source,
            begin=words.rfc3339(self._begin),
            end=words.rfc3339(self._end),
            step=self._trend_step(),
            logs=self._gathered.logs,
            lines={kind: count for kind, count in self._gathered.lines.items() if count},
            connections=self._total,
            by_side={
                side: sum(group.count for kind, group in fold.totals.items() if kind.side == side)
                for side in (DOWNSTREAM, UPSTREAM)
            },
            pairs=len({(one.client, one.server) for one in self._connections}),
            findings=findings(self._connections, self._world()),
            reasons=tuple(self._reasons()),
            rows=tuple(self._row(pair, merged) for pair, merged in shown),
            left_out=LeftOut(
                rows=len(all_rows) - len(shown) + fold.given_up,
                connections=self._total - shown_connections,
                is_exact=not fold.given_up,
                missed_at_most=fold.missed_at_most,
            ),
            clients=self._radii(lambda one: one.client, lambda one: one.server),
            servers=self._radii(lambda one: one.server, lambda one: one.client),
            against=self._compared(by_pair),
            notes=tuple(self._gathered.notes),
        )

    def _world(self) -> World:
        connections = self._connections
        return World(
            connections=self._total,
            begin=self._begin,
            end=self._end,
            step=self._gathered.fold.ruler.step,
            clients=len({one.client for one in connections}),
            servers=len({one.server for one in connections}),
            logs=self._gathered.logs,
            networks=len({one.kind.network for one in connections}),
        )

    # -- parts

    def _row(self, pair: Pair, merged: Merged) -> Row:
        reason, side, client, server = pair
        largest = max(merged.parts, key=lambda one: (one.group.count, one.group.last or 0)).group
        said = advice(largest.sample)
        groups = [one.group for one in merged.parts]
        return Row(
            reason=reason,
            side=side,  # type: ignore[arg-type]  # one of both
            client=client,
            server=server,
            connections=merged.connections,
            share=merged.connections / self._total,
            first=words.rfc3339(merged.first),
            last=words.rfc3339(merged.last),
            goes_on=self._goes_on(merged),
            addresses=_distinct(groups, lambda group: group.addresses),
            pods=_distinct(groups, lambda group: group.pods),
            trend=self._trend(merged.timeline),
            is_new=None if self._before is None else pair not in self._earlier,
            summary=said.summary,
            causes=said.causes,
            next=said.next,
            certificate=said.certificate,
            evidence=said.evidence,
            limits=said.limits,
        )

    def _reasons(self) -> Iterator[Reason]:
        """From the totals, which are exact."""
        totals = sorted(self._gathered.fold.totals.items(), key=lambda item: -item[1].count)
        for kind, total in totals:
            earlier = self._before.fold.totals.get(kind) if self._before else None
            yield Reason(
                reason=kind.reason,
                side=kind.side,  # type: ignore[arg-type]  # one of both
                connections=total.count,
                share=total.count / self._total,
                first=words.rfc3339(total.first),
                last=words.rfc3339(total.last),
                trend=self._trend(total.timeline),
                growth=self._growth(total.timeline),
                before=None if self._before is None else (earlier.count if earlier else 0),
                summary=REASONS[kind.reason],
            )

    def _radii(self, of: Callable[[Connection], Party], other: Callable[[Connection], Party]) -> tuple[Radius, ...]:
        """What fails for each client, or at each service; the widest first."""
        by_party = _merged(self._connections, of, self._step())
        widest = sorted(by_party.items(), key=lambda item: (-item[1].connections, item[0].name))
        return tuple(self._radius(party, merged, other) for party, merged in widest[:MOST_RADII])

    def _radius(self, party: Party, merged: Merged, other: Callable[[Connection], Party]) -> Radius:
        reasons: Counter[str] = Counter()
        others: Counter[Party] = Counter()
        for one in merged.parts:
            reasons[one.kind.reason] += one.group.count
            others[other(one)] += one.group.count
        return Radius(
            party=party,
            connections=merged.connections,
            share=merged.connections / self._total,
            reasons=ordered(reasons),
            others=tuple(sorted(others, key=lambda one: (-others[one], one.name))[:MOST_OTHERS]),
            others_count=len(others),
            goes_on=self._goes_on(merged),
            trend=self._trend(merged.timeline),
        )

    def _compared(self, rows: Collection[Pair]) -> Against | None:
        before = self._before
        if before is None:
            return None
        return Against(
            begin=words.rfc3339(before.begin) or "",
            end=words.rfc3339(before.end) or "",
            connections=sum(group.count for group in before.fold.totals.values()),
            new_rows=len(set(rows) - self._earlier),
            gone_rows=len(self._earlier - set(rows)),
        )

    # -- of one of them

    def _step(self) -> int:
        return self._gathered.fold.ruler.step

    def _trend(self, timeline: Timeline) -> tuple[int, ...]:
        if self._begin is None or self._end is None:
            return ()
        return tuple(columns(timeline, self._begin, self._end, COLUMNS))

    def _trend_step(self) -> float:
        """Seconds of a trend's step."""
        if self._begin is None or self._end is None:
            return 0.0
        return width(self._begin, self._end, self._step(), COLUMNS) * self._step() / SECOND

    def _growth(self, timeline: Timeline) -> Growth | None:
        if self._begin is None or self._end is None:
            return None
        middle = (self._begin + self._end) // 2 // self._step()
        before = sum(count for at, count in timeline.counts.items() if at < middle)
        return Growth(before, timeline.counts.total() - before)

    def _goes_on(self, merged: Merged) -> bool | None:
        """Whether the pause since its last time is one that it has made before."""
        if merged.first is None or merged.last is None or self._end is None or merged.connections < 2:
            return None
        pace = (merged.last - merged.first) // (merged.connections - 1)
        return self._end - merged.last <= max(_PATIENCE, _PAUSES * pace)


def _merged(connections: Iterable[Connection], key: Callable[[Connection], Key], step: int) -> dict[Key, Merged]:
    """Connections added up by a key."""
    parts: defaultdict[Key, list[Connection]] = defaultdict(list)
    for one in connections:
        parts[key(one)].append(one)
    return {found: _added_up(some, step) for found, some in parts.items()}


def _added_up(parts: list[Connection], step: int) -> Merged:
    groups = [one.group for one in parts]
    first, last = span(groups)
    timeline = merged_timelines((group.timeline for group in groups), step)
    return Merged(parts, sum(group.count for group in groups), first, last, timeline)


def _pair(one: Connection) -> Pair:
    return one.kind.reason, one.kind.side, one.client, one.server


def _distinct(groups: Sequence[Group], of: Callable[[Group], set[str]]) -> Distinct:
    found = set[str]().union(*map(of, groups))
    return Distinct(len(found), not any(group.is_cut for group in groups))
