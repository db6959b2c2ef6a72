"""`python -m benchmarks.questions PORT PLACES RATE BATCH AGE SECONDS`: asks a directory as agents do.

Each question is about the address of a pod of benchmarks/cluster.py and a time up to AGE seconds ago, 0.2 at least: one
that has not settled yet is held by the directory. It prints what came of it as JSON.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from statistics import quantiles

import aiohttp

from benchmarks.cluster import address, place_of
from shipper.who.protocol import PATH, answers, asking

YOUNGEST = 0.2  # seconds between a failure and the question about it: so long an agent gathers lines
WITHIN = 10.0  # seconds for an answer


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of all questions."""

    asked: int
    kinds: dict[str, int]  # answers by kind, and by the reason of those that are unknown
    wrong: int  # answers that name a pod which never had the address
    late: int  # batches that were sent more than a tenth of a second after their time
    p50: float  # seconds from a batch to its answers
    p99: float


async def ask(port: int, places: int, rate: float, batch: int, age: float, seconds: float) -> Asked:
    """Ask `rate` questions a second about the first `places` places."""
    kinds, took, wrong, late = Counter[str](), list[float](), 0, 0
    source = random.Random(1)

    async def post(session: aiohttp.ClientSession) -> None:
        nonlocal wrong
        now, begun = time.time_ns(), time.monotonic()
        chosen = [source.randrange(places) for _ in range(batch)]
        body = asking([(address(place), now - round(source.uniform(YOUNGEST, age) * 1e9)) for place in chosen])
        async with session.post(f"http://127.0.0.1:{port}{PATH}", data=body) as response:
            text = await response.read()
            response.raise_for_status()
        took.append(time.monotonic() - begun)
        for place, told in zip(chosen, answers(text).answers, strict=True):
            kinds[told.reason or told.kind] += 1
            wrong += told.kind == "pod" and place_of(told.pod) != place

    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=WITHIN)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
        begun = time.monotonic()
        for number in range(round(rate * seconds / batch)):
            due = begun + number * batch / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late += time.monotonic() > due + 0.1
            group.create_task(post(session))
    spread = quantiles(took, n=100) if len(took) > 1 else [took[0]] * 99
    return Asked(batch * len(took), dict(kinds), wrong, late, spread[49], spread[98])


if __name__ == "__main__":
    port, places, rate, batch, age, seconds = (float(text) for text in sys.argv[1:])
    print(json.dumps(asdict(asyncio.run(ask(int(port), int(places), rate, int(batch), age, seconds)))))
