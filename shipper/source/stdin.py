"""Reads log lines from a pipe: `kubectl logs deploy/web -c istio-proxy | shipper run --stdin`.

There is no file, so there is no position: a line that was read cannot be read again.
"""

import asyncio
import contextlib
import time

from shipper.entries import Entries, Ticket
from shipper.model import Block, Target
from shipper.pipeline.pipeline import Pipeline
from shipper.pipeline.result import Result
from shipper.source.accounting import Accounting
from shipper.source.budget import Budget
from shipper.source.peer_wait import PeerWait, memory_of
from shipper.source.reader import BLOCK_BYTES, Sink
from shipper.source.tail.tailer import Tailer


class StdinReader:
    """The lines of one pipe, as one target."""

    def __init__(
        self,
        fd: int,
        target: Target,
        pipeline: Pipeline,
        sink: Sink,
        budget: Budget,
        accounting: Accounting,
        peer_wait: PeerWait | None = None,
    ) -> None:
        self._tailer = Tailer.of_pipe(fd)
        self._pipeline, self._sink, self._budget, self._accounting = pipeline.open(target), sink, budget, accounting
        self._target, self._peer_wait = target, peer_wait
        self._settled = asyncio.Event()

    async def run(self) -> None:
        """Read to the end of the pipe and hand all on, or until cancelled."""
        async with self._peer_wait or contextlib.nullcontext():
            await self._run()

    async def _run(self) -> None:
        buffer = memoryview(bytearray(2 * BLOCK_BYTES))
        while self._tailer.may_have_more:
            self._feed(await self._tailer.read(buffer, BLOCK_BYTES, 0.0))
            self._sink.backlog(False)
            while self._budget.free <= 0:
                self._settled.clear()
                await self._settled.wait()
        self._feed(await self._tailer.read_unfinished_line(buffer))
        self._take(self._pipeline.flush(time.time_ns()), 0)

    def settled(self, entries: Entries, dropped: int) -> None:  # noqa: ARG002  # the sink counts them
        """There is memory for more."""
        self._budget.pending -= entries.memory
        self._settled.set()

    def _feed(self, block: Block | None) -> None:
        if block is not None:
            self._take(self._pipeline.feed(block, time.time_ns()), len(block.data))

    def _take(self, result: Result, size: int) -> None:
        self._accounting.enter(self._target, result, size)
        ticket = Ticket(self, self, 0, result.kept + len(result.unanswered))
        if self._peer_wait and self._peer_wait.must_hold(self, result):
            self._hold(self._peer_wait, result.rest(), ticket)
        else:
            self._put(result, ticket)

    def _put(self, result: Result, ticket: Ticket) -> None:
        for labels, kept in result.streams.items():
            part = Entries(labels, kept, ticket)
            self._budget.pending += part.memory
            self._sink.put(part)

    def _hold(self, peer_wait: PeerWait, result: Result, ticket: Ticket) -> None:
        memory = memory_of(result)

        def release(result: Result, missing: str) -> None:
            self._budget.pending -= memory
            self._pipeline.named(result, missing)
            self._accounting.enter(self._target, result, 0)
            self._put(result, ticket)

        self._budget.pending += memory
        peer_wait.hold(self, result, release)
