"""What `shipper report` costs: 1 GiB of log in three forms, and a week of Loki.

    python -m benchmarks.pile [MIB]

The log is the morning of `lab.outage`, day after day: the same again (nothing is told apart that was seen before), with
a new connection for each failure, or with a new client for each, which is more than is kept. The week is asked of
`lab.loki` in a process of its own, as many failures as a day has in the second form.
"""

import asyncio
import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from benchmarks.processes import Child, Usage
from lab import outage
from lab.ingester import Pushed
from lab.label_text import render
from lab.limits import Limits
from lab.loki import LokiReceiver
from shipper.model import Entry

MIB: Final = 1 << 20
RUNS: Final = 3
WITHIN: Final = 300.0  # seconds
WEEK: Final = 7 * 24 * 3600
FAILURES: Final = 100_000  # of the week
_FIRST_DAY: Final = datetime(2026, 11, 30, tzinfo=UTC)
_PORT: Final = re.compile(rb'(?<="downstream_remote_address":")([\d.]+):\d+')
_CLIENT: Final = re.compile(rb"sa/client-\d+")


def days(*, new_connections: bool, new_clients: bool) -> Iterator[bytes]:
    """The morning's log, day after day."""
    number, written = 0, [line.content for line in outage.lines()]
    for day in range(10**6):
        date, lines = f"{_FIRST_DAY - timedelta(day):%Y-%m-%d}".encode(), []
        for line in written:
            if new_connections and b"TLS_error" in line:
                number += 1
                address = b"10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255) if new_clients else rb"\1"
                line = _PORT.sub(rb"%s:%d" % (address, 1024 + number % 64_000), line)
                line = _CLIENT.sub(b"sa/client-%d" % number, line) if new_clients else line
            lines.append(line.replace(b"2026-11-30T", date + b"T") if new_connections else line)
        yield b"\n".join(lines) + b"\n"


def cost(scratch: Path, *arguments: str) -> str:
    """Of `shipper report`, of the run in the middle: columns of a table."""
    runs = sorted((_run(scratch, *arguments) for _ in range(RUNS)), key=lambda one: one.cpu)
    median = runs[len(runs) // 2]
    return f"{median.wall:.1f} s | {median.cpu:.1f} s | {median.peak / MIB:.0f} MiB"


def _run(scratch: Path, *arguments: str) -> Usage:
    log = scratch / "report.txt"
    with Child([sys.executable, "-m", "shipper", "report", *arguments], log) as child:
        usage = child.wait(WITHIN)
    if usage.code:
        sys.exit(f"shipper report ended with {usage.code}: {log.read_text()}")
    return usage


def serve_week(ready: Connection) -> None:
    """A Loki with a week of failures, until the other end closes."""
    asyncio.run(_serve_week(ready))


async def _serve_week(ready: Connection) -> None:
    plenty = Limits(rate=1e12, burst=1e12, stream_rate=1e12, stream_burst=1e12)
    async with LokiReceiver(plenty, clock=lambda: outage.END) as loki:
        failures = (
            line
            for day in days(new_connections=True, new_clients=False)
            for line in day.splitlines()
            if b"TLS_error" in line
        )
        step = WEEK * 10**9 // FAILURES
        entries = [Entry(outage.END - WEEK * 10**9 + at * step, next(failures)) for at in range(FAILURES)]
        labels = {"job": "kubernetes-pods-istio-proxy", "namespace": "shop"}
        pods = [render({**labels, "app": "web", "pod": f"web-{number}"}) for number in range(20)]
        loki.ingester.push([Pushed(pod, entries[at :: len(pods)]) for at, pod in enumerate(pods)], 0)
        ready.send(loki.base_url)
        await asyncio.to_thread(ready.poll, None)


def main(size: int) -> None:
    """Print the rows of a table."""
    forms = {
        "the same day again and again": {"new_connections": False, "new_clients": False},
        "a new connection for each failure": {"new_connections": True, "new_clients": False},
        "a new client for each failure": {"new_connections": True, "new_clients": True},
    }
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "pile.log")
        for name, form in forms.items():
            with file.open("wb") as to:
                days_of_it = days(**form)
                while to.tell() < size * MIB:
                    to.write(next(days_of_it))
            print(f"| {size} MiB, {name} | {cost(Path(scratch), str(file))} |", flush=True)
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve_week, args=(there,))
    process.start()
    url = here.recv()
    times = [f"{datetime.fromtimestamp(outage.END // 10**9 - back, UTC):%Y-%m-%dT%H:%M:%SZ}" for back in (WEEK, 0)]
    asked = ["--loki", url, "--from", times[0], "--to", times[1]]
    with tempfile.TemporaryDirectory() as scratch:
        print(f"| 7 days of Loki, {FAILURES:,} failures | {cost(Path(scratch), *asked)} |")
    here.send(None)
    process.join()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024)
