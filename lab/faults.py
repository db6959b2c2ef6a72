"""Ways in which a Loki, or what stands before it, can misbehave; each is a value that a test puts in place.

A fault sees a push before Loki does. It answers in Loki's stead, or returns None to let Loki answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Arrival:
    """A push that has come and is not answered yet."""

    request: web.Request
    body: bytes  # as sent, compressed
    labels: tuple[str, ...]  # of its streams; empty when the body could not be decoded
    accept: Callable[[], web.Response]  # lets Loki store it, and gives Loki's answer
    closing: asyncio.Event  # the receiver stops

    def abort(self) -> None:
        """Reset the connection."""
        if self.request.transport is not None:
            self.request.transport.abort()


Fault = Callable[[Arrival], Awaitable[web.StreamResponse | None]]


def status(code: int, text: str = "", headers: Mapping[str, str] | None = None) -> Fault:
    """This answer; nothing is stored."""

    async def fault(_: Arrival) -> web.Response:
        return web.Response(status=code, text=text, headers=headers)

    return fault


def slow(seconds: float) -> Fault:
    """Loki's answer, so much later."""

    async def fault(_: Arrival) -> None:
        await asyncio.sleep(seconds)

    return fault


def held(until: asyncio.Event) -> Fault:
    """Loki's answer, once the event is set: a slow Loki without a clock."""

    async def fault(_: Arrival) -> None:
        await until.wait()

    return fault


def hang() -> Fault:
    """No answer to this request, even when the fault is lifted; nothing is stored."""

    async def fault(arrival: Arrival) -> web.Response:
        await arrival.closing.wait()
        arrival.abort()
        return web.Response(status=503)

    return fault


def reset_before() -> Fault:
    """The connection breaks and nothing is stored."""

    async def fault(arrival: Arrival) -> web.Response:
        arrival.abort()
        return web.Response(status=503)

    return fault


def reset_after() -> Fault:
    """All is stored, and the connection breaks before the answer."""

    async def fault(arrival: Arrival) -> web.Response:
        answer = arrival.accept()
        arrival.abort()
        return answer

    return fault


def stored_and_answered(answer: bytes) -> Fault:
    """All is stored, and these bytes are the answer; then the connection ends."""

    async def fault(arrival: Arrival) -> web.Response:
        response = arrival.accept()
        if (transport := arrival.request.transport) is not None and isinstance(transport, asyncio.WriteTransport):
            transport.write(answer)
            transport.close()
        return response

    return fault


def slow_after(seconds: float) -> Fault:
    """All is stored at once, and Loki's answer comes so much later."""

    async def fault(arrival: Arrival) -> web.Response:
        answer = arrival.accept()
        await asyncio.sleep(seconds)
        return answer

    return fault


def stall(code: int = 500) -> Fault:
    """A status and the first bytes of a body, whose rest never comes; nothing is stored."""

    async def fault(arrival: Arrival) -> web.StreamResponse:
        response = web.StreamResponse(status=code, headers={"Content-Length": "1000"})
        await response.prepare(arrival.request)
        await response.write(b"please wait")
        await arrival.closing.wait()
        arrival.abort()
        return response

    return fault


def too_large_above(limit: int) -> Fault:
    """413 for bodies of more than `limit` compressed bytes, as gateways answer."""
    return when(lambda arrival: len(arrival.body) > limit, status(413, "request body too large\n"))


def cut_off_above(limit: int) -> Fault:
    """A broken connection for bodies of more than `limit` compressed bytes, as of gateways that look at the length."""
    return when(lambda arrival: len(arrival.body) > limit, reset_before())


def when(concerned: Callable[[Arrival], bool], fault: Fault) -> Fault:
    """The fault for some pushes; Loki answers the others."""

    async def chosen(arrival: Arrival) -> web.StreamResponse | None:
        return await fault(arrival) if concerned(arrival) else None

    return chosen


def for_stream(part: str, fault: Fault) -> Fault:
    """The fault for pushes with a stream whose label text contains `part`, e.g. `app="checkout"`."""
    return when(lambda arrival: any(part in labels for labels in arrival.labels), fault)
