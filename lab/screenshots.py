"""Pictures of the agent's page and of a report, of the morning of `lab.outage`: `make screenshots`.

Each in light and in dark, and the page on a narrow screen too. Needs a browser (see `lab.browser`).
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from lab import browser, outage
from lab.browser import Tab
from lab.loki import LokiReceiver

WIDE, NARROW = 1040, 400  # pixels
PAGE, SCREEN, REPORT = 800, 560, 610  # pixels of height: the repository stays small
WITHIN = 20.0  # seconds

_COMMAND = (sys.executable, "-m", "shipper")


async def main(directory: Path) -> None:
    """Take all pictures into `directory`, which exists."""
    with tempfile.TemporaryDirectory(prefix="demo-") as scratch:
        pods, report = Path(scratch, "pods"), Path(scratch, "report.html")
        outage.write(pods)
        _report(pods, report)
        async with (
            LokiReceiver(clock=lambda: outage.END) as loki,
            _agent(pods, loki.url, Path(scratch, "positions.json")) as page,
            browser.tab() as tab,
        ):
            await _pictures(tab, page, directory / "page", PAGE)
            await _picture(tab, page, directory / "page-narrow.png", (NARROW, SCREEN), dark=False)
            await _pictures(tab, report.as_uri(), directory / "report", REPORT)


async def _pictures(tab: Tab, url: str, path: Path, height: int) -> None:
    for scheme in ("light", "dark"):
        picture = path.with_name(f"{path.name}-{scheme}.png")
        await _picture(tab, url, picture, (WIDE, height), dark=scheme == "dark")


async def _picture(tab: Tab, url: str, path: Path, size: tuple[int, int], *, dark: bool) -> None:
    width, height = size
    await tab.open(url, width, dark=dark)
    _write(path, await tab.picture(height))


def _write(path: Path, picture: bytes) -> None:
    path.write_bytes(picture)
    print(f"{path}: {len(picture) >> 10} KiB")


def _report(pods: Path, to: Path) -> None:
    """The report of these logs, as a page."""
    with to.open("wb") as file:
        subprocess.run([*_COMMAND, "report", "--output", "html", pods], stdout=file, check=True)


@asynccontextmanager
async def _agent(pods: Path, loki: str, positions: Path) -> AsyncIterator[str]:
    """An agent that has shipped these logs; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = [
        *("run", "--keep", "mtls", "--log-dir", str(pods), "--client.url", loki),
        *("--positions.file", str(positions), "--server.http-listen-port", str(port)),
    ]
    environment = {**os.environ, "NODE_NAME": "demo-node", "no_proxy": "*"}
    process = await asyncio.create_subprocess_exec(*_COMMAND, *arguments, stderr=DEVNULL, env=environment)
    try:
        await _until_shipped(f"http://127.0.0.1:{port}/targets")
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        await process.wait()


async def _until_shipped(targets: str) -> None:
    """Wait until all that is there is with Loki."""
    async with asyncio.timeout(WITHIN), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(targets) as response:
                    told = (await response.json())["targets"]
                    if told and not any(one["lag_bytes"] for one in told):
                        return
            except aiohttp.ClientError:
                pass  # it has only just been started
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    if browser.command() is None:
        sys.exit(browser.MISSING)
    asyncio.run(main(Path(sys.argv[1])))
