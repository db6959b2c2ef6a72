"""What was gathered to the finished report. Pure."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
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
    Finding,
    Growth,
    LeftOut,
    Party,
    Radius,
    Reason,
    Report,
    Row,
    Seen,
    Side,
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

SIDES: Final[tuple[Side, Side]] = (DOWNSTREAM, UPSTREAM)

Pair = tuple[str, Side, Party, Party]
"""Reason, side, client and server: what is one row."""


@dataclass(slots=True)
class Merged:
    """The groups of one row, or of one client or server, all of one side, added up."""

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
        self._failed = _failed(gathered)
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
        in_rows: Counter[Side] = Counter()
        for (_, side, _, _), merged in shown:
            in_rows[side] += merged.connections
        return Report(
            version=VERSION,
            source=self._source,
            begin=words.rfc3339(self._begin),
            end=words.rfc3339(self._end),
            step=self._trend_step(),
            logs=self._gathered.logs,
            lines={kind: count for kind, count in self._gathered.lines.items() if count},
            sides={side: Seen(self._failed[side], len(self._pairs(side))) for side in SIDES},
            findings=tuple(chain.from_iterable(map(self._findings, self._sides()))),
            reasons=tuple(self._reasons()),
            rows=tuple(self._row(pair, merged) for pair, merged in shown),
            left_out=LeftOut(
                rows=len(all_rows) - len(shown) + fold.given_up,
                connections={side: self._failed[side] - in_rows[side] for side in SIDES},
                is_exact=not fold.given_up,
                missed_at_most=fold.missed_at_most,
            ),
            clients=self._radii(lambda one: one.client, lambda one: one.server),
            servers=self._radii(lambda one: one.server, lambda one: one.client),
            against=self._compared(by_pair),
            notes=tuple(self._gathered.notes),
        )

    def _sides(self) -> list[Side]:
        """Those that saw any, the one that saw most first."""
        return sorted((side for side in SIDES if self._failed[side]), key=lambda side: -self._failed[side])

    def _of(self, side: Side) -> list[Connection]:
        return [one for one in self._connections if one.kind.side == side]

    def _pairs(self, side: Side) -> set[tuple[Party, Party]]:
        return {(one.client, one.server) for one in self._of(side)}

    def _findings(self, side: Side) -> tuple[Finding, ...]:
        connections = self._of(side)
        return findings(connections, self._world(side, connections))

    def _world(self, side: Side, connections: Sequence[Connection]) -> World:
        return World(
            side=side,
            connections=self._failed[side],
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
            side=side,
            client=client,
            server=server,
            connections=merged.connections,
            share=merged.connections / self._failed[side],
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
                side=kind.side,
                connections=total.count,
                share=total.count / self._failed[kind.side],
                first=words.rfc3339(total.first),
                last=words.rfc3339(total.last),
                trend=self._trend(total.timeline),
                growth=self._growth(total.timeline),
                before=None if self._before is None else (earlier.count if earlier else 0),
                summary=REASONS[kind.reason],
            )

    def _radii(self, of: Callable[[Connection], Party], other: Callable[[Connection], Party]) -> tuple[Radius, ...]:
        """What fails for each client, or at each service, told by side; the widest first."""
        by_party = _merged(self._connections, lambda one: (of(one), one.kind.side), self._step())
        widest = sorted(by_party.items(), key=lambda item: (-item[1].connections, item[0][0].name))
        return tuple(self._radius(party, side, merged, other) for (party, side), merged in widest[:MOST_RADII])

    def _radius(self, party: Party, side: Side, merged: Merged, other: Callable[[Connection], Party]) -> Radius:
        reasons: Counter[str] = Counter()
        others: Counter[Party] = Counter()
        for one in merged.parts:
            reasons[one.kind.reason] += one.group.count
            others[other(one)] += one.group.count
        return Radius(
            party=party,
            side=side,
            connections=merged.connections,
            share=merged.connections / self._failed[side],
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
            connections=dict(_failed(before)),
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


def _failed(gathered: Gathered) -> Counter[Side]:
    """All failed connections, by the side that saw them."""
    failed: Counter[Side] = Counter(dict.fromkeys(SIDES, 0))
    for kind, total in gathered.fold.totals.items():
        failed[kind.side] += total.count
    return failed


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
