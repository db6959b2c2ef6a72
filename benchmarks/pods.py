"""`python -m benchmarks.pods`: what pod metadata cost.

The agent runs beside an API server in another process. Measured are CPU from start to end, memory for known pods, and
CPU for their changes. The agent's own metric says whether it knows all pods.
"""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.request import ProxyHandler, build_opener

from benchmarks.api import Api, pod
from benchmarks.processes import Child
from benchmarks.shipper import Job
from benchmarks.sink import Sink
from lab.containerd import LogWriter
from lab.lines import timed_out

MIB = 1 << 20
WITHIN = 20.0  # seconds until something awaited must have happened
POLL = 0.05  # seconds between checks

# Goals of the project.
STARTUP, RESIDENT, GROWTH, EVENTS = 0.9, 84 * MIB, 16 * MIB, 0.02

_PORT = re.compile(r"serving .* port (\d+)")
_KNOWN = re.compile(r"^shipper_kubernetes_pods (\S+)$", re.MULTILINE)
_DIRECT = build_opener(ProxyHandler({}))  # not through a proxy of the environment


@dataclass(frozen=True, slots=True)
class Load:
    """How many pods and events are measured, and how long."""

    rounds: int = 3  # starts, of which the median counts
    seconds: float = 10.0  # of idling, and then of events
    few: int = 20  # pods
    many: int = 10_000  # pods
    rate: float = 1000.0  # events a second
    settle: float = 2.0  # seconds from the open watch to the first measurement


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of knowing the pods of a node."""

    startup: float  # CPU seconds of a whole run that waits for metadata, ships one line and ends
    few: int  # pods that are known,
    resident: int  # and bytes of memory then
    many: int  # pods that are known,
    growth: int  # and how many bytes more
    rate: float  # events a second, while many are known;
    idle: float  # share of a core without them,
    busy: float  # and with them


def rows(found: Cost) -> list[tuple[str, str]]:
    """What was measured, and its cost, for a reader."""
    above = f"{found.busy - found.idle:.2%} of a core above {found.idle:.2%} when idle"
    return [
        ("pod metadata: start-up, one line shipped, end", f"{found.startup:.2f} CPU s (goal {STARTUP:g})"),
        (f"pod metadata: idle, {found.few} pods", f"RSS {found.resident / MIB:.1f} MiB (goal {RESIDENT / MIB:g})"),
        (f"pod metadata: {found.many:,} pods", f"{found.growth / MIB:.1f} MiB more (goal {GROWTH / MIB:g})"),
        (f"pod metadata: {found.rate:,.0f} events of 7 kB a second", f"{above} (goal {EVENTS:.0%})"),
    ]


def cost(sink: Sink, scratch: Path, load: Load) -> Cost:
    """Measure it. Raises TimeoutError when the agent does not know all pods in time."""
    with Api(scratch / "api") as api:
        api.add(load.few)
        startup = median([_start(api, sink, scratch / "one") for _ in range(load.rounds)])
        with _running(api, sink, scratch / "few", load.settle) as (child, _):
            resident = child.resident()
        api.add(load.many - load.few)
        with _running(api, sink, scratch / "many", load.settle) as (child, log):
            growth = child.resident() - resident
            idle = share(child, lambda: time.sleep(load.seconds))
            busy = share(child, lambda: change(api, load.rate, load.seconds))
            api.add(1)
            until(lambda: _known(log) == load.many + 1, "the agent knows all pods")
    return Cost(startup, load.few, resident, load.many, growth, load.rate, idle, busy)


def _start(api: Api, sink: Sink, scratch: Path) -> float:
    """CPU seconds of a run over one log of one line, whose pod the API knows."""
    with _job(sink, scratch) as job:
        with LogWriter(job.root, pod=pod(0).name, uid=pod(0).uid) as log:
            log.write(timed_out(1))
        with Child(_command(api, job, "--once"), job.state / "output.log") as child:
            usage = child.wait(WITHIN)
        if usage.code or sink.seen().entries != 1:
            raise TimeoutError(f"the line did not arrive:\n{(job.state / 'output.log').read_text()}")
        return usage.cpu


@contextmanager
def _running(api: Api, sink: Sink, scratch: Path, settle: float) -> Iterator[tuple[Child, Path]]:
    """The agent once it knows all pods, and the file with its output."""
    with _job(sink, scratch) as job:
        log = job.state / "output.log"
        with Child(_command(api, job), log) as child:
            until(lambda: api.watches() == 1, "the agent watches")
            time.sleep(settle)
            yield child, log
            child.stop()
            until(lambda: api.watches() == 0, "the agent has gone")


@contextmanager
def _job(sink: Sink, scratch: Path) -> Iterator[Job]:
    shutil.rmtree(scratch, ignore_errors=True)
    job = Job(scratch / "logs", sink.url, scratch / "state")
    job.root.mkdir(parents=True)
    job.state.mkdir()
    sink.reset()
    try:
        yield job
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _command(api: Api, job: Job, *more: str) -> list[str]:
    scrape = {"kubernetes": True, "pod_labels": {"version": "version"}, "pod_logs": {"root": str(job.root)}}
    config = {"clients": [{"url": job.url}], "scrape_configs": [scrape]}
    path = job.state / "shipper.yaml"
    path.write_text(json.dumps(config), encoding="ascii")  # JSON is YAML
    positions = str(job.state / "positions.json")
    flags = ("--config.file", str(path), "--positions.file", positions, "--server.http-listen-port", "0")
    return api.agent("run", *more, *flags)


def change(api: Api, rate: float, seconds: float) -> None:
    """Change pods' labels at this rate. Raises TimeoutError when the server could not keep it up."""
    if (told := api.change(rate, seconds)) < 0.98 * rate * seconds:
        raise TimeoutError(f"the API server sent only {told} changes: the machine is too busy")


def share(child: Child, during: Callable[[], None]) -> float:
    """Share of a core while something is done."""
    before, begun = child.cpu(), time.monotonic()
    during()
    return (child.cpu() - before) / (time.monotonic() - begun)


def _known(log: Path) -> float:
    """Pods that the agent knows, from its own metric."""
    port = _PORT.search(log.read_text())
    assert port, "the log names the port"
    with _DIRECT.open(f"http://127.0.0.1:{port[1]}/metrics", timeout=WITHIN) as answer:
        known = _KNOWN.search(answer.read().decode())
    return float(known[1]) if known else 0.0


def until(reached: Callable[[], bool], what: str, within: float = WITHIN) -> None:
    """Wait for something. Raises TimeoutError after `within` seconds."""
    deadline = time.monotonic() + within
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:g} s: {what}")
        time.sleep(POLL)


def main() -> None:
    """Measure, and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch, Sink() as sink:
        for what, told in rows(cost(sink, Path(scratch), Load())):
            print(f"{what}: {told}")


if __name__ == "__main__":
    main()
