"""What a push costs: the agent's client and its sender, against a bare POST of the same body.

CPU of this process; the sink has its own. The three take turns, so that a noisy moment hits all of them.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from benchmarks.corpus import Lines
from benchmarks.sink import PROTOBUF, Sink
from shipper.config import ClientConfig, Seconds
from shipper.entries import Entries, Ticket, push_body
from shipper.metrics import Metrics
from shipper.model import Columns
from shipper.sink.client import Client
from shipper.sink.sender import Sender

LABELS = '{app="payment-service", job="kubernetes-pods-istio-proxy", namespace="shop", response_flags="UT"}'
ENTRIES = 10  # in a push
WARM_UP = 20  # pushes


@dataclass(frozen=True, slots=True)
class Push:
    """CPU seconds of one push."""

    bare: float  # an aiohttp session's POST
    client: float  # the agent's client: the same, and what an answer means
    sender: float  # all that the agent does between the entries and their settlement


async def cost(sink: Sink, rounds: int, pushes: int) -> Push:
    """Medians over `rounds`, in each of which every way makes so many pushes, one after the other."""
    lines = [line for _, line in Lines.of_sidecar(1, 840).kept[:ENTRIES]]
    body = push_body(LABELS, [_entries(lines)])
    config = ClientConfig(url=sink.url, batchwait=Seconds(0))
    metrics = Metrics()
    headers = {"Content-Type": PROTOBUF}
    async with aiohttp.ClientSession() as session, Client(config, metrics) as client:

        async def bare() -> None:
            async with session.post(sink.url, data=body, headers=headers) as response:
                await response.read()

        async def by_client() -> None:
            assert await client.push(body) is None

        async with _sending(config, client, metrics, lines) as by_sender:
            ways = (bare, by_client, by_sender)
            for way in ways:
                await _spent(way, WARM_UP)
            spent = [[await _spent(way, pushes) for way in ways] for _ in range(rounds)]
    return Push(*(statistics.median(times) for times in zip(*spent, strict=True)))


async def _spent(push: Callable[[], Awaitable[None]], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        await push()
    return (time.process_time() - begun) / times


def _entries(lines: Sequence[bytes]) -> Entries:
    now = time.time_ns()
    return Entries(LABELS, Columns(list(range(now, now + len(lines))), list(lines)), Ticket(_Owner(), None, 0))


class _Owner:
    def settled(self, entries: Entries, dropped: int) -> None:
        pass


@asynccontextmanager
async def _sending(
    config: ClientConfig, client: Client, metrics: Metrics, lines: Sequence[bytes]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A running sender. Yields a function that makes one push and waits until it is settled."""
    sender = Sender(config, client.push, metrics)
    running = asyncio.create_task(sender.run())

    async def push() -> None:
        sender.put(_entries(lines))
        await sender.drained()

    try:
        yield push
    finally:
        await sender.close(1.0)
        await running
