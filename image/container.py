"""A container under runc: started, waited for, looked at from outside, stopped."""

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
    """One, from its start to its end; whatever happens, it is gone in the end."""

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
        """Its first process, as the machine counts."""
        return int(self._pid_file.read_text())

    async def ends(self) -> int:
        """Its exit code, once it has ended by itself."""
        return await asyncio.wait_for(self._process.wait(), PATIENCE)

    async def ready(self, url: str) -> float:
        """Seconds from the start of its process to the first good answer of `url`."""
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            while not await _is_good(session, url):
                if self._process.returncode is not None:
                    raise RuntimeError(f"the container ended: {self.said()[-2000:]}")
                await asyncio.sleep(0.005)
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started()

    async def stop(self) -> tuple[int, float]:
        """SIGTERM to its process 1: the exit code, and how many seconds it took; TimeoutError after `STOP`."""
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        code = await asyncio.wait_for(self._process.wait(), STOP)
        return code, time.monotonic() - began

    def started(self) -> float:
        """When its process started, in seconds since the machine did."""
        return started(Path(f"/proc/{self.pid}/stat").read_text())

    def said(self) -> str:
        """What it, or runc for it, has written to stdout and stderr."""
        return self.log.read_text(errors="replace")

    def status(self) -> dict[str, str]:
        """The kernel's account of its process: identity, rights, memory."""
        return fields(Path(f"/proc/{self.pid}/status").read_text())

    def writable(self) -> list[str]:
        """Where it has something mounted that is not read-only."""
        return writable(Path(f"/proc/{self.pid}/mountinfo").read_text())


async def _is_good(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def started(stat: str) -> float:
    """When a process started, from `/proc/N/stat`; the kernel counts in hundredths of a second."""
    return int(stat.rpartition(")")[2].split()[19]) * TICK


def fields(status: str) -> dict[str, str]:
    """`/proc/N/status`, by name."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in status.splitlines())}


def writable(mountinfo: str) -> list[str]:
    """The mount points that may be written, but for /proc and what is hidden in it."""
    mounts = [line.split()[4:6] for line in mountinfo.splitlines()]
    return sorted(
        point for point, options in mounts if "rw" in options.split(",") and not f"{point}/".startswith("/proc/")
    )
