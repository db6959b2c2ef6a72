"""A shipper's process, and what the kernel tells of it: CPU time, memory.

CPU is user and system time of all its threads. Knows nothing of what the process does.
"""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

POLL = 0.02  # seconds between looks at a process that shall end
STOP_WITHIN = 15.0  # seconds from SIGTERM to SIGKILL


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has taken, from its start to its end."""

    cpu: float  # seconds
    wall: float  # seconds
    peak: int  # bytes of resident memory
    code: int  # exit code; negative: the signal that ended it


class Child:
    """A running process; a context that ends it."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        """Start it; what it prints goes to `log`. Raises OSError."""
        environment = {**os.environ, "NO_PROXY": "*", "no_proxy": "*"}
        with log.open("wb") as out:
            self.begun = time.monotonic()
            self._process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        self._peak = 0
        self.usage: Usage | None = None  # once it has ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()

    def cpu(self) -> float:
        """Seconds so far, to the nanosecond: the kernel keeps a clock for each process."""
        return time.clock_gettime(~self._process.pid << 3 | 2)  # CPUCLOCK_SCHED, see clock_getcpuclockid(3)

    def resident(self) -> int:
        """Bytes of memory now."""
        return self._memory("VmRSS")

    def peak(self) -> int:
        """The most that it has had."""
        return self._memory("VmHWM")

    def has_ended(self) -> bool:
        """Whether it has; looks at its memory too, which is gone with it."""
        if self.usage is None:
            self._peak = max(self._peak, self._memory("VmHWM"))
            pid, status, told = os.wait4(self._process.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                wall = time.monotonic() - self.begun
                self.usage = Usage(told.ru_utime + told.ru_stime, wall, self._peak, self._process.returncode)
        return self.usage is not None

    def wait(self, within: float) -> Usage:
        """Wait for its end. Raises TimeoutError."""
        deadline = time.monotonic() + within
        while not self.has_ended():
            if time.monotonic() > deadline:
                raise TimeoutError(f"it did not end within {within:g} s")
            time.sleep(POLL)
        assert self.usage
        return self.usage

    def stop(self) -> Usage:
        """End it, if need be by force."""
        if not self.has_ended():
            self._process.send_signal(signal.SIGTERM)
        try:
            return self.wait(STOP_WITHIN)
        except TimeoutError:
            self._process.kill()
            return self.wait(STOP_WITHIN)

    def _memory(self, name: str) -> int:
        try:
            for line in Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines():
                if line.startswith(f"{name}:"):
                    return int(line.split()[1]) << 10
        except OSError:
            pass
        return 0
