"""A container under runc: starts it, waits for it, inspects it from outside, stops it."""

import asyncio
import json
import os
import signal
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import aiohttp

TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
PATIENCE, STOP = 30.0, 10.0  # seconds: until it is ready; from SIGTERM to its end


class Container:
    """A context: the container runs while it lasts, and is deleted at its end in any case."""

    def __init__(self, directory: Path, made: Mapping[str, Any], name: str) -> None:
        self.log = directory / f"{name}.log"
        self._bundle, self._name = directory / name, name
        self._runc = ("runc", "--root", str(directory / "runc"))
        self._bundle.mkdir()
        (self._bundle / "config.json").write_text(json.dumps(made))

    async def __aenter__(self) -> Self:
        command = [*self._runc, "run", "--bundle", str(self._bundle), "--pid-file", str(self._pid_file), self._name]
        with self.log.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=output, stderr=output)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            delete = await asyncio.create_subprocess_exec(*self._runc, "delete", "--force", self._name)
            await delete.wait()
            await self._process.wait()

    @property
    def _pid_file(self) -> Path:
        return self._bundle / "pid"

    @property
    def pid(self) -> int:
        """The process id of its process 1 on the machine."""
        return int(self._pid_file.read_text())

    async def ends(self) -> int:
        """Wait for its end; its exit code."""
        return await asyncio.wait_for(self._process.wait(), PATIENCE)

    async def ready(self, url: str) -> float:
        """Seconds from the start of its process to the first 200 from `url`."""
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            while not await _is_good(session, url):
                if self._process.returncode is not None:
                    raise RuntimeError(f"the container ended: {self.said()[-2000:]}")
                await asyncio.sleep(0.005)
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started()

    async def stop(self) -> tuple[int, float]:
        """Send SIGTERM to its process 1; the exit code and the seconds until then. Raises TimeoutError after `STOP`."""
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        code = await asyncio.wait_for(self._process.wait(), STOP)
        return code, time.monotonic() - began

    def started(self) -> float:
        """When its process started, in seconds since the machine's boot."""
        return started(Path(f"/proc/{self.pid}/stat").read_text())

    def said(self) -> str:
        """What it or runc has written to stdout and stderr."""
        return self.log.read_text(errors="replace")

    def status(self) -> dict[str, str]:
        """The kernel's account of its process: identity, rights, memory."""
        return fields(Path(f"/proc/{self.pid}/status").read_text())

    def writable(self) -> list[str]:
        """Its mount points that are not read-only."""
        return writable(Path(f"/proc/{self.pid}/mountinfo").read_text())


async def _is_good(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def started(stat: str) -> float:
    """Seconds from the boot to the start of a process, from `/proc/N/stat`, which counts clock ticks."""
    return int(stat.rpartition(")")[2].split()[19]) * TICK


def fields(status: str) -> dict[str, str]:
    """`/proc/N/status`, by name."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}


def writable(mountinfo: str) -> list[str]:
    """The writable mount points, without /proc and what is masked in it."""
    mounts = [line.split()[4:6] for line in mountinfo.splitlines()]
    return sorted(
        point for point, options in mounts if "rw" in options.split(",") and not f"{point}/".startswith("/proc/")
    )
