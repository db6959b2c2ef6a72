"""One agent in a process of its own: started, asked, killed; and what it costs, from /proc.

The same state outlives its processes, as a node's does.
"""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

COMMAND = ("-m", "shipper")
OBSERVED = ("-m", "soak.observed")  # the same, with its tasks and objects among the metrics
START = 20.0  # seconds a start may take on a busy machine
_SAMPLE = re.compile(r"^(\w+)(?:\{.*\})? (\S+)$", re.MULTILINE)

CONFIG = """\
server: {{http_listen_port: 0, log_level: info}}
positions: {{filename: "{state}/positions.json"}}
clients:
  - url: "{url}"
    timeout: {timeout}
    batchwait: 100ms
    backoff_config: {{min_period: 20ms, max_period: 300ms}}
scrape_configs: [{{pod_logs: {{root: "{root}"}}}}]
limits_config: {{max_streams: {streams}}}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process holds at a moment."""

    resident: int  # bytes
    descriptors: int


@dataclass(slots=True)
class Place:
    """Where an agent's state lives, and what it is told."""

    directory: Path
    root: Path
    url: str
    timeout: str = "1s"
    streams: int = 500

    def configuration(self) -> Path:
        """The file, written anew."""
        path = self.directory / "agent.yaml"
        text = CONFIG.format(
            state=self.directory, url=self.url, timeout=self.timeout, root=self.root, streams=self.streams
        )
        path.write_text(text)
        return path

    @property
    def log(self) -> Path:
        """What all its agents have said."""
        return self.directory / "agent.log"


class Process:
    """A running agent."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process, self._log = process, log
        self._port = 0
        self._reading = asyncio.create_task(self._read())
        self._serving = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    async def start(
        cls, python: str, place: Place, program: Sequence[str] = COMMAND, wrapper: Sequence[str] = ()
    ) -> "Process":
        """Started, and serving or not yet; `wrapper` stands before the command, such as `ip netns exec x`."""
        command = [*wrapper, python, *program, "run", "--config.file", str(place.configuration())]
        process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
        return cls(process, place.log)

    async def _read(self) -> None:
        assert self._process.stderr
        with self._log.open("ab") as log:
            async for line in self._process.stderr:
                log.write(line)
                if found := re.search(rb"serving .* port (\d+)", line):
                    self._port = int(found[1])
                    self._serving.set()
        self._serving.set()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether nothing has ended it."""
        return self._process.returncode is None

    async def serving(self) -> None:
        """Wait until its HTTP server answers; TimeoutError or RuntimeError when it does not."""
        async with asyncio.timeout(START):
            await self._serving.wait()
        if not self._port:
            raise RuntimeError(f"the agent ended: {self._log.read_text(errors='replace')[-500:]}")

    async def kill(self) -> None:
        """SIGKILL, at whatever instruction it is."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._gone()

    async def stop(self) -> int:
        """SIGTERM; its exit code. TimeoutError when it takes more than ten seconds."""
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await self._process.wait()
        await self._gone()
        return self._process.returncode or 0

    async def _gone(self) -> None:
        await self._process.wait()
        await self._reading
        if self._session:
            await self._session.close()

    def cost(self) -> Cost:
        """What it holds now."""
        process = Path(f"/proc/{self.pid}")
        found = re.search(r"VmRSS:\s+(\d+) kB", (process / "status").read_text())
        return Cost(int(found[1]) * 1024 if found else 0, len(os.listdir(process / "fd")))  # noqa: PTH208

    def peak(self) -> int:
        """The most bytes that were ever resident."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) * 1024 if found else 0

    async def get(self, path: str) -> str:
        """A page of its HTTP server."""
        self._session = self._session or aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{self._port}{path}") as answer:
            answer.raise_for_status()
            return await answer.text()

    async def metrics(self) -> dict[str, float]:
        """Each metric's sum over its labels."""
        sums: dict[str, float] = {}
        for name, value in _SAMPLE.findall(await self.get("/metrics")):
            sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    async def ledger_closes(self) -> bool:
        """Whether read = filtered + sent + dropped + pending, at this moment."""
        now = await self.metrics()
        parts = ("lines_filtered_total", "entries_sent_total", "entries_dropped_total", "entries_pending")
        return now["shipper_lines_read_total"] == sum(now.get(f"shipper_{part}", 0.0) for part in parts)


@contextlib.asynccontextmanager
async def running(python: str, place: Place, program: Sequence[str] = COMMAND) -> AsyncIterator[Process]:
    """An agent that serves, killed at the end if it still runs."""
    process = await Process.start(python, place, program)
    try:
        await process.serving()
        yield process
    finally:
        await process.kill()
