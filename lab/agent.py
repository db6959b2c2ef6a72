"""Runs the agent over a directory of logs, once, as a user would: a command line in, text and a code out."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from dataclasses import dataclass
from pathlib import Path

WITHIN = 40.0  # seconds; the agent itself gives up on a Loki that is away after 25

FINE, USAGE = 0, 2  # exit codes

_NOTABLE = re.compile(r"^\S+Z +(?:warn|warning|error) +(.+)$", re.MULTILINE | re.IGNORECASE)
_LEDGER = re.compile(r"ledger: (read=\d+ filtered=\d+ sent=\d+ dropped=\d+ pending=\d+)")


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run."""

    code: int
    output: str  # stdout and stderr
    ledger: dict[str, int]  # empty when it told none

    @property
    def warnings(self) -> list[str]:
        """What it wants its operator to know."""
        return _NOTABLE.findall(self.output)


async def run_once(pods: Path, url: str, positions: Path, keep: str, *, direct: bool) -> Run:
    """Ship what is below `pods` to `url`, and end; TimeoutError when it does not end.

    `direct`: past any proxy of the environment.
    """
    command = [
        *(sys.executable, "-m", "shipper", "run", "--once", "--log-dir", str(pods), "--client.url", url),
        *("--positions.file", str(positions), "--server.http-listen-address", "127.0.0.1"),
        *("--server.http-listen-port", "0", "--keep", keep),
    ]
    environment = {**os.environ, "no_proxy": "*"} if direct else None
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT, env=environment)
    try:
        output, _ = await asyncio.wait_for(process.communicate(), WITHIN)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    return Run(process.returncode or 0, text, ledger(text))


def ledger(output: str) -> dict[str, int]:
    """The agent's own account, the last one it printed: {"read": 10, "filtered": 9, ...}."""
    told = _LEDGER.findall(output)
    pairs = (pair.split("=") for pair in told[-1].split()) if told else ()
    return {name: int(number) for name, number in pairs}
