"""The start on a node full of unread logs while Loki is down: memory stays small, and /healthz answers."""

import asyncio
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.corpus import Corpus, Spec, write
from soak.process import Place, Process, running
from soak.report import Row

MIB: Final = 1 << 20
MEMORY: Final = 96 * MIB  # what the DaemonSet allows
PROMPT: Final = 0.1  # seconds, for 99 of 100 answers
SHARES: Final = {"few kept": 0.0005, "all kept": 1.0}  # of lines: all is read; or the reading has to stop early


async def backlog(size: int, seconds: float, directory: Path | None = None) -> list[Row]:
    """Rows for a backlog of `size` bytes, each watched for so long; the corpus is written below `directory`."""
    rows = []
    for name, share in SHARES.items():
        with tempfile.TemporaryDirectory(dir=directory) as place:
            spec = Spec(size=size, pods=8, share=share, began=int(time.time()) - 3000)
            corpus = await asyncio.to_thread(write, spec, Path(place) / "pods")
            rows.append(await _watch(f"backlog of {size / MIB:,.0f} MiB, Loki down, {name}", corpus, place, seconds))
    return rows


async def _watch(name: str, corpus: Corpus, directory: str, seconds: float) -> Row:
    with socket.socket() as nobody:  # bound, and not listening: connections are refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/loki/api/v1/push"
        async with running(sys.executable, Place(Path(directory), corpus.root, url)) as process:
            took = await _ask(process, seconds)
            peak, metrics = process.peak(), await process.metrics()
    p99 = took[int(len(took) * 0.99)]
    read, waiting = metrics["shipper_bytes_read_total"] / MIB, metrics["shipper_entries_pending"]
    figures = f"{peak / MIB:.0f} MiB at most; /healthz p99 {p99 * 1000:.0f} ms, worst {took[-1] * 1000:.0f} ms "
    figures += f"of {len(took)}; {read:,.0f} MiB read, {waiting:,.0f} entries wait"
    return Row(name, figures, peak <= MEMORY and p99 <= PROMPT)


async def _ask(process: Process, seconds: float) -> list[float]:
    """How long each answer took, the shortest first."""
    took: list[float] = []
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        await process.get("/healthz")
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.01)
    return sorted(took)
