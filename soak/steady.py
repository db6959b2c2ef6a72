"""Pods come and go, logs rotate, some pushes fail: the agent's memory, descriptors, tasks and objects must not grow.

Samples memory and descriptors from /proc, tasks and objects from the process itself.
"""

import asyncio
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression, median
from typing import Final

from lab import faults
from lab.faults import Arrival, Fault
from lab.loki import LokiReceiver
from soak.crashes import eventually
from soak.node import NoisyPod
from soak.process import OBSERVED, Place, Process
from soak.report import Row
from soak.written import Written

MIB: Final = 1 << 20
EVERY: Final = 1.0  # seconds between samples
PODS: Final = 12
# What may lie between the first third and the last of the samples after the start: noise, and caches that fill.
MOST_GROWTH: Final = {"resident": 6.0 * MIB, "descriptors": 6.0, "tasks": 4.0, "objects": 3000.0}


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the process."""

    at: float  # seconds
    resident: float  # bytes
    descriptors: float
    tasks: float
    objects: float


async def steady(seconds: float) -> list[Row]:
    """One row for each figure that must not grow, and one for the lines that must have arrived."""
    written, samples = Written(), list[Sample]()
    with tempfile.TemporaryDirectory() as directory:
        async with LokiReceiver() as loki:
            loki.fault = seldom_failing(random.Random(3))
            place = Place(Path(directory), Path(directory) / "pods", loki.url)
            place.root.mkdir()
            process = await Process.start(sys.executable, place, OBSERVED)
            node = Node(place.root, written, loki)
            try:
                await process.serving()
                await asyncio.gather(node.live(seconds), _sample(process, seconds, samples))
                loki.fault = None
                await eventually(node.is_delivered, 60)
                fine = await eventually(process.ledger_closes, 10)
            finally:
                await process.kill()
                node.close()
            verdict = written.judge(loki.stored())
    return [*flat(samples), Row("steady: what arrived", str(verdict), verdict.is_fine and fine)]


def seldom_failing(rng: random.Random) -> Fault:
    """One push in twenty fails."""
    choices = [faults.status(500), faults.status(429), faults.reset_after(), faults.slow(0.5), faults.reset_before()]

    async def one(arrival: Arrival) -> object:
        return await rng.choice(choices)(arrival) if rng.random() < 0.05 else None

    return one  # type: ignore[return-value]


class Node:
    """Pods that come and go, and the lines they leave."""

    def __init__(self, root: Path, written: Written, loki: LokiReceiver) -> None:
        self._root, self._written, self._loki = root, written, loki
        self._rng = random.Random(4)
        self._pods: list[NoisyPod] = []
        self._count = 0

    async def live(self, seconds: float) -> None:
        """For so long."""
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            await self._come_and_go()
            self._rng.choice(self._pods).write(self._rng.randrange(1, 20))
            if self._rng.random() < 0.05:
                self._rng.choice(self._pods).rotate()
            await asyncio.sleep(0.02)
        for pod in self._pods:
            pod.mend()

    async def _come_and_go(self) -> None:
        if len(self._pods) < PODS:
            self._pods.append(NoisyPod(self._root, self._written, f"app-{self._count}", random.Random(self._count)))
            self._count += 1
        elif self._rng.random() < 0.02:
            for pod in self._pods:
                pod.mend()
            pod = self._pods.pop(0)
            if await eventually(self.is_delivered, 20):  # else it would be a loss of our own making
                pod.log.delete()
            pod.log.close()

    async def is_delivered(self) -> bool:
        """Whether all lines are there."""
        return not self._written.missing({line for entries in self._loki.streams.values() for _, line in entries})

    def close(self) -> None:
        """Give the logs' descriptors back."""
        for pod in self._pods:
            pod.log.close()


async def _sample(process: Process, seconds: float, into: list[Sample]) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    while (at := loop.time() - began) < seconds:
        metrics, cost = await process.metrics(), process.cost()
        into.append(Sample(at, cost.resident, cost.descriptors, metrics["soak_tasks"], metrics["soak_objects"]))
        await asyncio.sleep(EVERY)


def flat(samples: list[Sample]) -> list[Row]:
    """One row for each thing that may not grow; the first quarter, in which caches fill, is left out."""
    later = samples[len(samples) // 4 :]
    third = max(1, len(later) // 3)
    rows = []
    for what, most in MOST_GROWTH.items():
        values = [float(getattr(sample, what)) for sample in later]
        growth = median(values[-third:]) - median(values[:third])
        slope = linear_regression([sample.at for sample in later], values).slope * 3600 if len(values) > 2 else 0.0
        unit, scale = ("MiB", MIB) if what == "resident" else ("", 1)
        figures = (
            f"median {median(values) / scale:.1f} {unit}, {growth / scale:+.1f} from the first third to the last, "
        )
        figures += f"slope {slope / scale:+.1f} {unit} an hour, {len(values)} samples"
        rows.append(Row(f"steady: {what}", figures, growth <= most))
    return rows
