"""`python -m benchmarks.directory`: what `shipper directory` costs in a large cluster.

It runs on a core of its own; the API server and those who ask are processes on another. Measured are the time to ready,
memory in each phase, and CPU idle, with changes alone, and with questions as one of two replicas gets them.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from benchmarks.api import Api
from benchmarks.pods import MIB, share, until
from benchmarks.processes import Child
from benchmarks.questions import Asked

STARTS_WITHIN, READY_WITHIN, SOON = 20.0, 300.0, 60.0  # seconds

# Goals of the project.
READY, CORE = 60.0, 1.0

_PORT = re.compile(r"serving .* port (\d+)")
_ENDED = re.compile(r"^shipper_directory_ended (\S+)$", re.MULTILINE)
_DIRECT = build_opener(ProxyHandler({}))  # not through a proxy of the environment


@dataclass(frozen=True, slots=True)
class Load:
    """How large the cluster is, how much happens, and for how long each phase is measured."""

    pods: int = 100_000
    nodes: int = 5_000
    changes: float = 500.0  # a second
    questions: float = 5_000.0  # a second: 10,000 over two replicas
    batches: Sequence[int] = (5, 20, 100)  # questions in a request
    age: float = 10.0  # seconds since what is asked about, at most: Envoy writes its log every 10 s
    fresh: float = 1.2  # the same for a ztunnel, which writes at once
    seconds: float = 30.0
    later: float = 180.0  # seconds of changes and questions before memory is looked at again
    former: int = 200_000  # ended claims that are kept at most; so many are made at last
    fill: float = 2_000.0  # a second


@dataclass(frozen=True, slots=True)
class Answering:
    """Questions in batches of one size."""

    batch: int
    age: float  # seconds since what is asked about, at most
    share: float  # of a core
    asked: Asked


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes, seconds, and shares of a core."""

    empty: int  # resident before the lists
    ready: float  # from the start of the process to the first answer
    ready_cpu: float
    listing: int  # the peak until then
    listed: int  # resident at ready
    idle: float
    changing: float
    answering: Sequence[Answering]  # at last of a ztunnel's age
    later: int  # resident after a while of changes and questions
    full: int  # resident with all former holders that are kept
    full_answering: Answering
    peak: int  # of all


def cost(scratch: Path, load: Load) -> Cost:
    """Measure it. Raises TimeoutError when something does not come true, ValueError for an answer that is wrong."""
    here, there = _cores()
    log = scratch / "directory.log"
    with Api(scratch / "api", "benchmarks.cluster", there) as api:
        api.ask(f"add {load.pods} {load.nodes}", SOON)
        with Child([*here, *api.agent("directory", *_flags(scratch, load))], log) as child:
            until(lambda: _PORT.search(log.read_text()) is not None, "it serves", STARTS_WITHIN)
            empty = child.resident()
            port = _port(log)
            until(lambda: _status(port) == 200, "it is ready", READY_WITHIN)
            ready, ready_cpu, listing, listed = (
                time.monotonic() - child.begun,
                child.cpu(),
                child.peak(),
                child.resident(),
            )
            run = _Running(api, child, port, load, there)
            idle = share(child, lambda: time.sleep(load.seconds))
            changing = share(child, lambda: run.change(load.seconds))
            answering = [run.answer(batch, load.age, load.seconds) for batch in load.batches]
            usual = load.batches[len(load.batches) // 2]
            answering.append(run.answer(usual, load.fresh, load.seconds))
            run.answer(usual, load.age, load.later)
            later = child.resident()
            run.fill()
            full = child.resident()
            full_answering = run.answer(usual, load.age, load.seconds)
            return Cost(
                empty, ready, ready_cpu, listing, listed, idle, changing, answering, later, full, full_answering,
                child.peak(),
            )  # fmt: skip


def rows(found: Cost, load: Load) -> list[tuple[str, str]]:
    """What was measured, and its cost, for a reader."""
    cluster = f"{load.pods:,} pods, {load.nodes:,} nodes"
    asked = [(f"{load.questions:,.0f} questions a second beside them", one) for one in found.answering]
    asked.append((f"the same with {load.former:,} former holders", found.full_answering))
    return [
        (f"directory: start to ready, {cluster}", f"{found.ready:.1f} s (goal {READY:g}), {found.ready_cpu:.1f} CPU s"),
        ("directory: memory before the lists", f"RSS {found.empty / MIB:.0f} MiB"),
        ("directory: peak while they are read", f"RSS {found.listing / MIB:.0f} MiB"),
        ("directory: memory at ready", f"RSS {found.listed / MIB:.0f} MiB"),
        (f"directory: after {load.later:g} s of changes and questions", f"RSS {found.later / MIB:.0f} MiB"),
        (
            f"directory: with {load.former:,} former holders",
            f"RSS {found.full / MIB:.0f} MiB, peak {found.peak / MIB:.0f}",
        ),
        ("directory: idle", f"{found.idle:.1%} of a core"),
        (f"directory: {load.changes:,.0f} changes of 7 kB a second", f"{found.changing:.1%} of a core"),
        *(
            (f"directory: {what}, {one.batch} a request, up to {one.age:g} s old", _answered(one))
            for what, one in asked
        ),
    ]


def _answered(one: Answering) -> str:
    asked = one.asked
    unknown = 1 - asked.kinds.get("pod", 0) / max(1, asked.asked)
    waits = f"answered in {asked.p50:.2f} s, p99 {asked.p99:.2f} s"
    return f"{one.share:.1%} of a core (goal {CORE:.0%}), {waits}, {unknown:.2%} unknown"


class _Running:
    """A directory that is ready."""

    def __init__(self, api: Api, child: Child, port: int, load: Load, there: Sequence[str]) -> None:
        self._api, self._child, self._port, self._load, self._there = api, child, port, load, there

    def change(self, seconds: float) -> None:
        """Change pods. Raises TimeoutError when the server could not keep it up."""
        told = self._api.change(self._load.changes, seconds)
        if told < 0.98 * self._load.changes * seconds:
            raise TimeoutError(f"the API server sent only {told} changes: the machine is too busy")

    def answer(self, batch: int, age: float, seconds: float) -> Answering:
        """Ask beside changes."""
        load = self._load
        arguments = [str(one) for one in (self._port, load.pods, load.questions, batch, age, seconds)]
        command = [*self._there, sys.executable, "-m", "benchmarks.questions", *arguments]
        with (
            ThreadPoolExecutor() as pool,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process,
        ):
            assert process.stdout

            def during() -> None:
                changing = pool.submit(self.change, seconds)
                told.append(process.communicate(timeout=seconds + SOON)[0])
                changing.result()

            told: list[str] = []
            taken = share(self._child, during)
        if process.returncode:
            raise TimeoutError("not every question was answered in time")
        asked = Asked(**json.loads(told[0]))
        if asked.wrong:
            raise ValueError(f"{asked.wrong} answers name a pod that never had the address")
        if asked.late * batch > 0.02 * asked.asked:
            raise TimeoutError(f"{asked.late} batches were sent late: the machine is too busy")
        return Answering(batch, age, taken, asked)

    def fill(self) -> None:
        """Replace pods until all former holders are kept that may be."""
        load = self._load
        while (missing := load.former - self._ended()) > 0:
            self._api.ask(f"replace {min(missing, 20 * load.fill):g} {load.fill:g}", SOON)
            time.sleep(2.5)  # until the last of them are known

    def _ended(self) -> int:
        with _DIRECT.open(f"http://127.0.0.1:{self._port}/metrics", timeout=SOON) as answer:
            found = _ENDED.search(answer.read().decode())
        return int(float(found[1])) if found else 0


def _cores() -> tuple[list[str], list[str]]:
    """How a command for the directory begins, and one for everybody else."""
    first, *others = sorted(os.sched_getaffinity(0))
    return ["taskset", "--cpu-list", str(first)], ["taskset", "--cpu-list", ",".join(map(str, others or [first]))]


def _flags(scratch: Path, load: Load) -> list[str]:
    path = scratch / "directory.yaml"
    path.write_text(json.dumps({"directory": {"max_ended": load.former}}), encoding="ascii")  # JSON is YAML
    return ["--config.file", str(path), "--server.http-listen-address", "127.0.0.1", "--server.http-listen-port", "0"]


def _port(log: Path) -> int:
    found = _PORT.search(log.read_text())
    assert found, "the log names the port"
    return int(found[1])


def _status(port: int) -> int:
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/ready", timeout=SOON) as answer:
            return int(answer.status)
    except OSError:
        return 0


def main() -> None:
    """Measure, and print."""
    load = Load()
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        for what, told in rows(cost(Path(scratch), load), load):
            print(f"{what}: {told}")


if __name__ == "__main__":
    main()
