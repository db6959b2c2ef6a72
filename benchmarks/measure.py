"""Carries out a plan, one measurement after the other, and gathers the results.

Floors and agent take turns on the same bytes, so that their ratio holds where the machine is noisy.
"""

import asyncio
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks import corpus, living
from benchmarks import pods as knowing
from benchmarks import push as pushing
from benchmarks import stages as staging
from benchmarks.corpus import Corpus, Spec
from benchmarks.end_to_end import Misdelivered, Result, run
from benchmarks.floors import FLOORS
from benchmarks.plan import Plan, Point
from benchmarks.shipper import Shipper, agent
from benchmarks.sink import Sink

AGO = 7000  # seconds: as old as the corpora's lines are, so that none is from the future
LEAST_WALL = 0.02  # seconds: what is left of a run whose start took longer than that of others


@dataclass(frozen=True, slots=True)
class Startup:
    """What a shipper takes that has nothing to ship: seconds."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians of one shipper on one corpus, start-up subtracted. Units: CPU seconds, and per 10^9 bytes."""

    shipper: str
    point: Point
    cpu_per_gb: float
    spread: float  # the dearest run's CPU by the cheapest's
    floors: dict[str, float]  # CPU seconds per GB
    ratios: dict[str, float]  # to the floors: medians of the ratios in each round
    lines_per_second: float
    mb_per_second: float
    peak: int
    pushes: int
    pushes_per_gb: float
    entries: int
    first_push: float

    @classmethod
    def of(
        cls, shipper: str, point: Point, runs: Sequence[Result], floors: Mapping[str, Sequence[float]], startup: Startup
    ) -> "Measured":
        """What the runs come to; `floors` are CPU seconds on the same bytes, one for each run."""
        size, lines = runs[0].size / 1e9, runs[0].lines
        costs = [max(0.0, one.cpu - startup.cpu) / size for one in runs]
        speed = median([size / max(LEAST_WALL, one.wall - startup.wall) for one in runs])  # GB/s
        pushes = median([one.pushes for one in runs])
        return cls(
            shipper=shipper,
            point=point,
            cpu_per_gb=median(costs),
            spread=max(costs) / max(min(costs), 1e-9),
            floors={name: median(each) / size for name, each in floors.items()},
            ratios={
                name: median([cost * size / one for cost, one in zip(costs, each, strict=True)])
                for name, each in floors.items()
            },
            lines_per_second=speed * lines / size,
            mb_per_second=speed * 1e3,
            peak=max(one.peak for one in runs),
            pushes=int(pushes),
            pushes_per_gb=pushes / size,
            entries=runs[0].entries,
            first_push=median([one.first_push for one in runs]),
        )


@dataclass(slots=True)
class Results:
    """All that a plan has brought."""

    startup: dict[str, Startup] = field(default_factory=dict)  # by shipper
    measured: list[Measured] = field(default_factory=list)
    stages: list[staging.Stage] = field(default_factory=list)
    push: pushing.Push | None = None
    idle: dict[str, list[living.Idle]] = field(default_factory=dict)  # by shipper
    latency: dict[str, living.Latency] = field(default_factory=dict)  # by shipper and batching
    pods: knowing.Cost | None = None
    errors: list[str] = field(default_factory=list)  # of peers; one of the agent itself ends the run


class Bench:
    """One run of a plan."""

    def __init__(self, plan: Plan, sink: Sink, scratch: Path, peers: Sequence[Shipper]) -> None:
        self._plan, self._sink, self._scratch, self._peers = plan, sink, scratch, peers
        self.results = Results()

    def run(self) -> Results:
        """Everything. Raises Misdelivered when the agent has not delivered exactly what it should."""
        plan, results = self._plan, self.results
        self._tell("stages, pushes")
        results.stages = staging.measure(plan.rounds * 5)
        results.push = asyncio.run(pushing.cost(self._sink, plan.rounds, plan.pushes))
        self._measure_startup(agent())
        for point in plan.points:
            with self._corpus(point) as written:
                results.measured.append(self._measure(agent(), point, written, plan.rounds))
        self._measure_living()
        self._tell("pod metadata")
        load = knowing.Load(rounds=plan.rounds, seconds=plan.latency_seconds)
        results.pods = knowing.cost(self._sink, self._scratch / "pods", load)
        self._measure_peers()
        return results

    # -- the parts

    def _measure_startup(self, shipper: Shipper) -> None:
        """The agent with nothing to ship; others, which do not end by themselves, with one line."""
        point = Point(share=0.0 if shipper.ends else 1.0, size=0 if shipper.ends else 1, pods=1)
        with self._corpus(point) as written:
            runs = [run(shipper, written, self._sink, self._scratch) for _ in range(self._plan.rounds)]
        cpu, wall = median([one.cpu for one in runs]), median([one.wall for one in runs])
        self.results.startup[shipper.name] = Startup(cpu, wall)

    def _measure(self, shipper: Shipper, point: Point, written: Corpus, rounds: int) -> Measured:
        self._tell(f"{shipper.name}: {point}")
        startup = self.results.startup[shipper.name]
        wanted = [name for name in FLOORS if name != "parse" or point.share == 1.0]
        floors: dict[str, list[float]] = {name: [] for name in wanted}  # CPU seconds, by round
        runs: list[Result] = []
        for _ in range(rounds):
            for name in wanted:
                floors[name].append(FLOORS[name](written.files))
            runs.append(run(shipper, written, self._sink, self._scratch))
        return Measured.of(shipper.name, point, runs, floors, startup)

    def _measure_living(self) -> None:
        plan, results = self._plan, self.results
        shipper = agent(once=False)
        for files, rate in ((200, 10.0), (2000, 0.0)):
            self._tell(f"idle: {files} files, {rate:g} lines a second")
            found = living.idle(
                shipper, self._sink, self._scratch / "idle", files=files, rate=rate, seconds=plan.idle_seconds
            )
            results.idle.setdefault(shipper.name, []).append(found)
        for name, client in (("default", {}), ("batchwait: 0", {"batchwait": "0s"})):
            self._tell(f"latency, {name}")
            results.latency[f"{shipper.name}, {name}"] = living.latency(
                agent(once=False, client=client),
                self._sink,
                self._scratch / "latency",
                files=20,
                rate=100.0,
                seconds=plan.latency_seconds,
            )

    def _measure_peers(self) -> None:
        if not self._peers:
            return
        for point in self._plan.peers:
            with self._corpus(point) as written:
                self.results.measured.append(self._measure(agent(), point, written, self._plan.peer_rounds))
                for shipper in self._peers:
                    self._measure_peer(shipper, point, written)

    def _measure_peer(self, shipper: Shipper, point: Point, written: Corpus) -> None:
        try:
            if shipper.name not in self.results.startup:
                self._measure_startup(shipper)
            self.results.measured.append(self._measure(shipper, point, written, self._plan.peer_rounds))
        except (Misdelivered, TimeoutError) as error:
            self._tell(f"{shipper.name}, {point}: {error}")  # all of it, the program's own words too
            self.results.errors.append(f"{shipper.name}, {point}: {str(error).splitlines()[0]}")

    @contextmanager
    def _corpus(self, point: Point) -> Iterator[Corpus]:
        root = self._scratch / "corpus"
        began = int(time.time()) - AGO
        try:
            if point.size:
                spec = Spec(
                    size=point.size,
                    pods=point.pods,
                    share=point.share,
                    began=began,
                    decoys=point.decoys,
                    ztunnel=point.ztunnel,
                )
                yield corpus.write(spec, root)
            else:
                root.mkdir(parents=True)
                yield Corpus(root)
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def _tell(self, what: str) -> None:
        print(f"  {what}", flush=True)
