"""One cause that explains most of what failed, as seen from one side: what have the connections in common?

A thing in common tells something only where there could have been others: one service is no finding in the log of one
pod, and the mesh's own CA is none where one client fails.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shipper.report import words
from shipper.report.fold import span
from shipper.report.model import Finding, Side
from shipper.report.resolve import Connection
from shipper.report.timeline import Timeline, merged
from shipper.times import SECOND

MOST: Final = 0.5  # of all connections: less is no cause of "most"
MOST_SHOWN: Final = 3
_SAME: Final = 0.02  # shares that differ by no more are the same
_BURST: Final = 0.05  # of the time: what happened within is one moment
_IN_BURST: Final = 0.8
_GROWN: Final = 8.0  # times as many per time after a moment as before
_FEW: Final = 5  # connections: of fewer nothing is said


@dataclass(frozen=True, slots=True)
class Trait:
    """Something that connections can have in common."""

    kind: str
    text: str
    value: Callable[[Connection], str]  # empty: unknown
    needs: Callable[["Shared", "World"], bool]  # whether it tells anything


@dataclass(slots=True)
class Shared:
    """The connections that have one value in common."""

    parts: list[Connection] = field(default_factory=list)
    connections: int = 0

    @property
    def clients(self) -> int:
        return len({one.client for one in self.parts})

    @property
    def servers(self) -> int:
        return len({one.server for one in self.parts})


@dataclass(frozen=True, slots=True)
class World:
    """What there was to be seen from one side."""

    side: Side
    connections: int
    begin: int | None
    end: int | None
    step: int
    clients: int
    servers: int
    logs: int
    networks: int


_TRAITS: Final = (
    Trait("serial", "show one certificate, with the serial number", lambda one: one.kind.serial, lambda _, __: True),
    Trait("client", "come from one client", lambda one: one.client.name, lambda _, __: True),
    Trait("node", "come from one node", lambda one: one.kind.node, lambda shared, _: shared.clients > 1),
    Trait(
        "network",
        "come from one network, usually the pods of one node",
        lambda one: one.kind.network,
        lambda shared, world: shared.clients > 2 and world.networks > 1,
    ),
    Trait(
        "issuer", "show a certificate of one issuer", lambda one: one.kind.issuer, lambda shared, _: shared.clients > 1
    ),
    Trait(
        "server",
        "fail at one service",
        lambda one: one.server.name,
        lambda shared, world: shared.clients > 1 and (world.servers > 1 or world.logs > 1),
    ),
)
"""The most telling first."""


def findings(connections: Sequence[Connection], world: World) -> tuple[Finding, ...]:
    """The causes that explain most, the best first."""
    if world.connections < _FEW:
        return ()
    found = [
        (trait, value, shared)
        for trait in _TRAITS
        if (best := _best(trait, connections, world))
        for value, shared in (best,)
    ]
    found.sort(key=lambda one: -round(one[2].connections / world.connections / _SAME))
    distinct: list[tuple[Trait, str, Shared]] = []
    for trait, value, shared in found:
        covered = {id(one.group) for one in shared.parts}
        if all(covered != {id(one.group) for one in other.parts} for _, _, other in distinct):
            distinct.append((trait, value, shared))
    said = [_finding(trait, value, shared, world) for trait, value, shared in distinct[:MOST_SHOWN]]
    moment = _moment(connections, world)
    if moment and not any(one.connections >= moment.connections * (1 - _SAME) and one.is_sudden for one in said):
        said.append(moment)
    return tuple(said)


def ordered(reasons: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))


def _best(trait: Trait, connections: Iterable[Connection], world: World) -> tuple[str, Shared] | None:
    by_value: dict[str, Shared] = {}
    for one in connections:
        if value := trait.value(one):
            shared = by_value.setdefault(value, Shared())
            shared.parts.append(one)
            shared.connections += one.group.count
    value, shared = max(by_value.items(), key=lambda item: item[1].connections, default=("", Shared()))
    enough = shared.connections >= MOST * world.connections
    return (value, shared) if enough and trait.needs(shared, world) else None


def _finding(trait: Trait, value: str, shared: Shared, world: World) -> Finding:
    reasons: Counter[str] = Counter()
    for one in shared.parts:
        reasons[one.kind.reason] += one.group.count
    by_reason = ordered(reasons)
    first, _ = span(one.group for one in shared.parts)
    quiet = None if first is None or world.begin is None else max(0.0, (first - world.begin) / SECOND)
    said = [words.reasons(by_reason)]
    if trait.kind not in ("client", "serial") or shared.clients > 1:
        said.append(words.counted(shared.clients, "client"))
    if trait.kind != "server":
        said.append(words.counted(shared.servers, "service"))
    return Finding(
        kind=trait.kind,  # type: ignore[arg-type]  # one of its kinds
        value=value,
        side=world.side,
        connections=shared.connections,
        share=shared.connections / world.connections,
        reasons=by_reason,
        clients=shared.clients,
        servers=shared.servers,
        first=words.rfc3339(first),
        quiet=quiet,
        is_sudden=quiet is not None and _is_quiet(quiet, world),
        text=trait.text,
        detail="; ".join(said),
    )


def _is_quiet(seconds: float, world: World) -> bool:
    """Whether nothing happened for a part of the time that is worth a word."""
    if world.begin is None or world.end is None:
        return False
    return seconds >= max(60, _BURST * (world.end - world.begin) / SECOND)


def _moment(connections: Sequence[Connection], world: World) -> Finding | None:
    """Everything since a moment, or within one."""
    if world.begin is None or world.end is None:
        return None
    timeline = merged((one.group.timeline for one in connections), world.step)
    found = _burst(timeline, world) or _since(timeline, world)
    if found is None:
        return None
    at, count, text, detail = found
    reasons: Counter[str] = Counter()
    for one in connections:
        reasons[one.kind.reason] += one.group.count
    time = words.rfc3339(at)
    return Finding(
        kind="moment",
        value=time or "",
        side=world.side,
        connections=count,
        share=count / world.connections,
        reasons=ordered(reasons),
        clients=world.clients,
        servers=world.servers,
        first=time,
        quiet=(at - world.begin) / SECOND,
        is_sudden=True,
        text=text,
        detail=detail,
    )


def _burst(timeline: Timeline, world: World) -> tuple[int, int, str, str] | None:
    """The shortest time that holds most of them, where that is short beside the whole."""
    assert world.begin is not None
    assert world.end is not None
    wide = int((world.end - world.begin) * _BURST) // timeline.step
    if wide < 1:  # all of it is a moment
        return None
    steps = sorted(timeline.counts)
    best, best_at, inside, left = 0, 0, 0, 0
    for right, at in enumerate(steps):
        inside += timeline.counts[at]
        while at - steps[left] >= wide:
            inside -= timeline.counts[steps[left]]
            left += 1
        if left <= right and inside > best:
            best, best_at = inside, steps[left]
    if best < _IN_BURST * world.connections:
        return None
    lasted = words.length(wide * timeline.step / SECOND)
    return best_at * timeline.step, best, f"happened within {lasted}, from", "a moment: what was changed then?"


def _since(timeline: Timeline, world: World) -> tuple[int, int, str, str] | None:
    """The moment after which the rate is highest beside what it was before."""
    assert world.begin is not None
    assert world.end is not None
    total = timeline.counts.total()
    before, best = 0, None
    for at in sorted(timeline.counts):
        passed, left = at * timeline.step - world.begin, world.end - at * timeline.step
        if before and passed >= _BURST * (world.end - world.begin) and left > 0:
            grown = (total - before) / left / (before / passed)
            if grown >= _GROWN and total - before >= MOST * world.connections and (best is None or grown > best[0]):
                best = (grown, at * timeline.step, total - before, before, passed)
        before += timeline.counts[at]
    if best is None:
        return None
    _, at, count, earlier, passed = best
    return at, count, "happened since", f"{words.number(earlier)} in the {words.length(passed / SECOND)} before"
