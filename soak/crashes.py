"""Kills the agent at random moments, while Loki misbehaves and the kubelet rotates; then counts.

The promise: no line is lost, and none is shown twice. What is sent again is byte for byte the same.
"""

import asyncio
import contextlib
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from lab import faults
from lab.faults import Arrival, Fault
from lab.loki import LokiReceiver
from soak.node import NoisyPod
from soak.process import Place, Process
from soak.written import Verdict, Written

PODS = ("payments-7d4b9c6f5d-x2x7k", "checkout-5f6d8b7c9-zzq4d", "ledger-db-0")
MOST_LIFE = 1.2  # seconds from a start to the kill: from before the first read to well after the first save
STREAMS = 12  # few enough that the budget is used up, and a restart must give the same labels again
RECOVERY = 60.0  # seconds for the last agent to deliver everything

Report = Callable[[str], None]


def misbehaving(rng: random.Random) -> Fault:
    """Four pushes in ten fail, each in a way chosen at random."""
    choices: list[Fault] = [
        faults.status(500, "at least 2 live replicas required, could only find 1"),
        faults.status(429, "Ingestion rate limit exceeded for user fake"),
        faults.status(429, "", {"Retry-After": "0.3"}),
        faults.status(503),
        faults.hang(),
        faults.reset_before(),
        faults.reset_after(),
        faults.reset_after(),
        faults.slow(0.2),
        faults.stall(),
    ]

    async def one(arrival: Arrival) -> object:
        return await rng.choice(choices)(arrival) if rng.random() < 0.4 else None

    return one  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a series of kills."""

    kills: int
    rotations: int
    verdict: Verdict
    ledger_closes: bool

    @property
    def is_fine(self) -> bool:
        """Whether the promise was kept."""
        return self.verdict.is_fine and self.ledger_closes


class Crashes:
    """A node, a Loki, and one agent after the other."""

    def __init__(self, directory: Path, loki: LokiReceiver, seed: int) -> None:
        self._rng = random.Random(seed)
        self._loki, self._written = loki, Written()
        root = directory / "pods"
        root.mkdir(parents=True)
        self._place = Place(directory, root, loki.url, streams=STREAMS)
        self._pods = [NoisyPod(root, self._written, name, random.Random(f"{seed} {name}")) for name in PODS]
        self._rotations = 0

    async def run(self, kills: int, report: Report) -> Outcome:
        """All of it."""
        self._loki.fault = misbehaving(self._rng)
        writing = asyncio.create_task(self._write())
        try:
            for number in range(kills):
                await self._life()
                if number % 10 == 9:
                    report(f"{number + 1} kills, {len(self._written.lines)} lines written")
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
        for pod in self._pods:
            pod.mend()
        self._loki.fault = None
        return await self._last(kills)

    def close(self) -> None:
        """Close the logs."""
        for pod in self._pods:
            pod.log.close()

    async def _life(self) -> None:
        """An agent that starts and is killed at a random moment."""
        process = await Process.start(sys.executable, self._place)
        if self._rng.random() < 0.8:  # else it may die before it has begun
            await process.serving()
        await asyncio.sleep(self._rng.uniform(0, MOST_LIFE))
        await process.kill()
        if self._rng.random() < 0.3:  # rotated while nobody looked
            self._rotate()

    async def _write(self) -> None:
        while True:
            self._rng.choice(self._pods).write(self._rng.randrange(1, 12))
            if self._rng.random() < 0.05:
                self._rotate()
            elif self._rng.random() < 0.02:
                self._rng.choice(self._pods).restart()
            await asyncio.sleep(0.02)

    def _rotate(self) -> None:
        self._rotations += 1
        self._rng.choice(self._pods).rotate()

    async def _last(self, kills: int) -> Outcome:
        """One more agent runs undisturbed and must deliver the rest."""
        process = await Process.start(sys.executable, self._place)
        try:
            await process.serving()
            closes = await eventually(self._is_delivered, RECOVERY) and await eventually(process.ledger_closes, 10)
        finally:
            await process.kill()
        return Outcome(kills, self._rotations, self._written.judge(self._loki.stored()), closes)

    async def _is_delivered(self) -> bool:
        return not self._written.missing({line for entries in self._loki.streams.values() for _, line in entries})


async def eventually(reached: Callable[[], Awaitable[bool]], within: float) -> bool:
    """Ask again and again; False when it did not come true in so many seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            while not await reached():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            return True
    return False


@contextlib.asynccontextmanager
async def crashes(seed: int) -> AsyncIterator[Crashes]:
    """A place for a series of kills."""
    with tempfile.TemporaryDirectory() as directory:
        async with LokiReceiver() as loki:
            series = Crashes(Path(directory), loki, seed)
            with contextlib.closing(series):
                yield series
