"""A real browser without a screen, driven over its DevTools protocol: what a page looks like, and what it says.

Debian's `chromium`. Facts: https://chromedevtools.github.io/devtools-protocol (Page, Emulation, Runtime), 2026-11-30.
"""

import asyncio
import base64
import itertools
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "a browser is missing; Debian: apt-get install --no-install-recommends chromium"
WITHIN = 20.0  # seconds that a start, or an answer, may take

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # it shows pages of this repository alone, and root has no sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
)


def command() -> str | None:
    """The browser's command; None: there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._events: set[str] = set()  # what has happened since a page was asked for

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; what it returns. Raises RuntimeError with the browser's words."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(WITHIN):
            while (answer := await self._socket.receive_json()).get("id") != number:
                self._events.add(answer.get("method"))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def open(self, url: str, width: int, *, dark: bool, height: int = 900) -> None:
        """Show a page, in a window of this size, to a reader who has chosen light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.call("Emulation.setEmulatedMedia", features=[scheme])
        await self.call("Page.enable")
        self._events.clear()
        await self.call("Page.navigate", url=url)
        await self._until("Page.loadEventFired")

    async def _until(self, event: str) -> None:
        async with asyncio.timeout(WITHIN):
            while event not in self._events:
                self._events.add((await self._socket.receive_json()).get("method"))

    async def value(self, script: str) -> Any:
        """The value of an expression of JavaScript, which runs in the page."""
        done = await self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in done:
            raise RuntimeError(str(done["exceptionDetails"]))
        return done["result"].get("value")

    async def picture(self, most: int = 0) -> bytes:
        """The whole page as PNG; `most`: of so many pixels in height, 0: all."""
        size = await self.value("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        height = min(size[1], most or size[1])
        clip = {"x": 0, "y": 0, "width": size[0], "height": height, "scale": 1}
        done = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(done["data"])


@asynccontextmanager
async def tab() -> AsyncIterator[Tab]:
    """A browser of its own, with one empty tab. Raises RuntimeError where there is none."""
    browser = command()
    if browser is None:
        raise RuntimeError(MISSING)
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            browser, *_FLAGS, f"--user-data-dir={profile}", "about:blank", stdout=DEVNULL, stderr=PIPE
        )
        try:
            async with aiohttp.ClientSession() as session:
                async with asyncio.timeout(WITHIN):
                    port = await _port(process)
                    async with session.get(f"http://127.0.0.1:{port}/json/list") as response:
                        (page,) = [one for one in await response.json() if one["type"] == "page"]
                async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=64 << 20) as socket:
                    yield Tab(socket)
        finally:
            process.kill()
            await process.communicate()


async def _port(process: asyncio.subprocess.Process) -> int:
    """The port of its protocol, which it says on standard error."""
    assert process.stderr
    while line := (await process.stderr.readline()).decode(errors="replace"):
        if "DevTools listening on " in line:
            return int(line.rsplit(":", 1)[1].partition("/")[0])
    raise RuntimeError("the browser has ended")
