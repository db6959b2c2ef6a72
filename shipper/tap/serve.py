"""`/tap`: what the agent keeps, as it comes. A reader that is slow, or where more is kept than anybody reads, loses
entries; neither delays the agent."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from aiohttp import web

from shipper.config.units import MIB
from shipper.entries import Entries
from shipper.tap.border import Listener, Tap
from shipper.tap.events import ALIVE, CONTENT_TYPE, END, LOST, Event, of_entry, written
from shipper.tap.label_text import labels_of

PAUSE: Final = 0.2  # seconds between two writes to one reader,
MOST_ENTRIES: Final = 200  # of which each has so many entries at most,
MOST_BYTES: Final = 1 * MIB  # and so many bytes of lines
QUIET: Final = 10.0  # seconds without anything after which a comment says that all is well
STUCK: Final = 60.0  # seconds in which a reader takes nothing, after which its place is for others


async def serve(
    request: web.Request, tap: Tap | None, refusal: str, *, pause: float = PAUSE, quiet: float = QUIET
) -> web.StreamResponse:
    """Answer with events until the reader or the agent ends it; `refusal` says why lines are not shown."""
    if refusal or tap is None:
        return web.Response(status=403, text=f"log lines are not shown here: {refusal}\n")
    if tap.is_full:
        return web.Response(status=503, text="as many watch this agent as may, try again later\n")
    response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
    with tap.listening() as listener, suppress(ConnectionError, TimeoutError):  # the reader has left, or is stuck
        await response.prepare(request)
        await response.write(ALIVE)
        await _write_all(response, listener, pause, quiet)
    return response


async def _write_all(response: web.StreamResponse, listener: Listener, pause: float, quiet: float) -> None:
    while not listener.is_closed:
        try:
            await asyncio.wait_for(listener.arrived(), quiet)
        except TimeoutError:
            await response.write(ALIVE)
            continue
        taken, lost = listener.take()
        if body := b"".join(events_of(taken, lost)):
            async with asyncio.timeout(STUCK):
                await response.write(body)  # returns when the reader has taken most of it
        if not listener.is_closed:
            await asyncio.sleep(pause)
    await response.write(written(Event(END)))


def events_of(taken: list[Entries], lost: int) -> Iterator[bytes]:
    """What was taken, as far as one write holds it; the rest counts as lost."""
    room, space = MOST_ENTRIES, MOST_BYTES
    for entries in taken:
        if room <= 0 or space <= 0:
            lost += entries.count
            continue
        labels, columns = labels_of(entries.labels), entries.unpacked()
        for at, entry in enumerate(columns):
            if room <= 0 or space - entry.size < 0:
                lost += entries.count - at
                space = 0
                break
            room, space = room - 1, space - entry.size
            yield written(of_entry(labels, entry))
    if lost:
        yield written(Event(LOST, lost))
