"""`shipper tap`: what a running agent keeps, live, in the terminal or as JSON lines."""

import asyncio
import sys
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from shipper.backoff import waits
from shipper.config import ConfigError
from shipper.errors import fault
from shipper.tap.events import CONTENT_TYPE, END, Event, Reading
from shipper.tap.show import JSON, TEXT, shown
from shipper.terminal import discard_output

FINE, FAILED, INTERRUPTED = 0, 1, 130
SILENT: Final = 30.0  # seconds without a word, not even that all is well, after which the agent counts as gone
FIRST_WAIT, LONGEST_WAIT = 1.0, 10.0  # seconds until it is asked again

Say = Callable[[str], None]
Show = Callable[[Event], None]


class RefusedError(Exception):
    """The agent does not show its lines, or it is none; the text says what to do."""


def run(address: str, output: str | None) -> int:
    """Print what the agent at `address` keeps until Ctrl-C; the exit code. Raises ConfigError where it is no address.

    `output` is text or json; None: text on a terminal.
    """
    url = tap_url(address)
    show = shown(sys.stdout, output or (TEXT if sys.stdout.isatty() else JSON))
    try:
        return asyncio.run(watch(url, show, lambda text: print(f"shipper: tap: {text}", file=sys.stderr)))
    except BrokenPipeError:  # `| head` has seen enough
        discard_output()
        return FINE
    except KeyboardInterrupt:
        return INTERRUPTED


def tap_url(address: str) -> str:
    """`localhost:9080` and `http://localhost:9080/` are http://localhost:9080/tap. Raises ConfigError."""
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"tap: expected the agent's address, such as http://localhost:9080, got {address!r}")
    return parts._replace(path=parts.path.rstrip("/").removesuffix("/tap") + "/tap").geturl()


async def watch(url: str, show: Show, say: Say, *, first_wait: float = FIRST_WAIT) -> int:
    """Show each event until cancelled. An agent that goes away is asked again; the exit code if it never answers."""
    again, was_there = waits(first_wait, LONGEST_WAIT), False
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=SILENT)
    async with aiohttp.ClientSession(timeout=timeout, headers={"Accept": CONTENT_TYPE}) as session:
        while True:
            try:
                async with session.get(url, allow_redirects=False) as response:
                    await _check(response)
                    again, was_there = waits(first_wait, LONGEST_WAIT), True
                    problem = await _show_all(response, show)
            except RefusedError as error:
                problem = str(error)
            except (aiohttp.ClientError, TimeoutError) as error:
                problem = fault(error).text
            if not was_there:
                say(f"{url}: {problem}")
                return FAILED
            say(f"{problem}; trying again, and what is kept meanwhile is not shown")
            await asyncio.sleep(next(again))


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raises RefusedError where this is no stream of events."""
    if response.status == 200 and response.content_type == CONTENT_TYPE:
        return
    if response.status in (403, 503) and response.content_type == "text/plain":
        raise RefusedError((await response.content.read(500)).decode(errors="replace").strip())
    raise RefusedError(f"this is no agent's tap: HTTP {response.status}, {response.content_type}")


async def _show_all(response: aiohttp.ClientResponse, show: Show) -> str:
    """Show the events to their end; why they have ended."""
    reading = Reading()
    try:
        async for data in response.content.iter_any():
            for event in reading.feed(data):
                if event.kind == END:
                    return "the agent has stopped"
                show(event)
    except ValueError:
        return "this is no agent's tap"
    return "the connection has ended"
