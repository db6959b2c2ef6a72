"""The agent in one network namespace, Loki in another, and an impaired link between them.

    python -m soak.network SECONDS   (within the namespace of Loki; what `python -m soak` starts)

Prints one line of JSON. Nothing of the machine's own network is touched.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from lab.loki import LokiReceiver
from soak.crashes import eventually
from soak.link import TUN, Impairment, Link, devices
from soak.node import NoisyPod
from soak.process import Place, Process
from soak.report import Row
from soak.written import Verdict, Written

AGENT, LOKI = f"soak-agent-{os.getpid()}", f"soak-loki-{os.getpid()}"
DEVICE: Final = "soak0"
LOKI_ADDRESS, AGENT_ADDRESS = "10.99.77.1", "10.99.77.2"
RECOVERY: Final = 90.0  # seconds: TCP itself waits long after losses
PHASES: Final = {
    "fine": Impairment(),
    "partition": Impairment(loss=1.0),
    "fine again": Impairment(),
    "delay 0.3 to 0.6 s": Impairment(delay=0.3),
    "loss of 20 %": Impairment(loss=0.2),
    "answers lost": Impairment(answers_lost=True),
    "delay and loss": Impairment(delay=0.1, loss=0.1),
}


def missing() -> str:
    """What this machine lacks for it; empty when nothing."""
    if os.getuid():
        return "needs root"
    if not shutil.which("ip"):
        return "iproute2 is not installed"
    return "" if TUN.exists() else f"{TUN} is missing"


async def network(seconds: float) -> Row:
    """The agent's lines through all phases, `seconds` in all."""
    name = "network: partition, delay, loss between agent and Loki"
    if lack := missing():
        return Row(name, "", None, lack)
    with namespaces():
        process = await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", LOKI, sys.executable, "-m", "soak.network", str(seconds), AGENT),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    if process.returncode:
        return Row(name, f"ended with {process.returncode}", False)
    told = json.loads(output)
    return Row(name, told["figures"], told["is_fine"])


@contextlib.contextmanager
def namespaces() -> Iterator[None]:
    """Two new ones, gone afterwards."""
    try:
        for namespace in (AGENT, LOKI):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        yield
    finally:
        for namespace in (AGENT, LOKI):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True)


def ip(*arguments: str) -> None:
    """A command of iproute2. Raises CalledProcessError."""
    subprocess.run(["ip", *arguments], check=True)


# -- within the namespace of Loki


async def through_all_phases(seconds: float, agent: str) -> dict[str, object]:
    """What came of it."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as directory, devices(DEVICE, agent) as ends:
        set_up(agent)
        link, loop = Link(*ends, rng), asyncio.get_running_loop()
        link.attach(loop)
        async with LokiReceiver() as loki, relay(int(loki.base_url.rpartition(":")[2])) as port:
            root = Path(directory) / "pods"
            place = Place(Path(directory), root, f"http://{LOKI_ADDRESS}:{port}/loki/api/v1/push", timeout="2s")
            verdict = await _write_through(place, agent, link, loki, seconds)
        link.detach(loop)
    figures = f"{verdict}; {link.passed} packets passed, {link.lost} lost"
    return {"is_fine": verdict.is_fine and verdict.expected > 0, "figures": figures}


async def _write_through(place: Place, agent: str, link: Link, loki: LokiReceiver, seconds: float) -> Verdict:
    written = Written()
    pods = [NoisyPod(place.root, written, f"app-{number}", random.Random(number)) for number in range(3)]
    process = await Process.start(sys.executable, place, wrapper=("ip", "netns", "exec", agent))
    try:
        await process.serving()
        for impairment in PHASES.values():
            link.impairment = impairment
            await _write(pods, seconds / len(PHASES))
        link.impairment = Impairment()
        for pod in pods:
            pod.mend()

        async def delivered() -> bool:
            return not written.missing({line for entries in loki.streams.values() for _, line in entries})

        await eventually(delivered, RECOVERY)
    finally:
        await process.kill()
        for pod in pods:
            pod.log.close()
    return written.judge(loki.stored())


async def _write(pods: list[NoisyPod], seconds: float) -> None:
    rng = random.Random(2)
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        pod = rng.choice(pods)
        pod.write(rng.randrange(1, 10))
        if rng.random() < 0.02:
            pod.rotate()
        await asyncio.sleep(0.05)


def set_up(agent: str) -> None:
    """Addresses on both ends."""
    for where, address in (((), LOKI_ADDRESS), (("-n", agent), AGENT_ADDRESS)):
        ip(*where, "addr", "add", f"{address}/30", "dev", DEVICE)
        ip(*where, "link", "set", DEVICE, "up")


@contextlib.asynccontextmanager
async def relay(to: int) -> AsyncIterator[int]:
    """The receiver listens on loopback only: its door to the link. Gives the port."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", to)
        with contextlib.suppress(asyncio.CancelledError):  # the run is over
            await asyncio.gather(pipe(reader, inner_writer), pipe(inner_reader, writer))

    server = await asyncio.start_server(connected, LOKI_ADDRESS, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(through_all_phases(float(sys.argv[1]), sys.argv[2]))))
