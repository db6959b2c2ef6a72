"""Reads log lines from a pipe: `kubectl logs deploy/web -c istio-proxy | shipper run --stdin`.

There is no file, so there is no position: a line that was read cannot be read again.
"""

import asyncio
import time

from shipper.entries import Entries, Ticket
from shipper.model import Block, Target
from shipper.pipeline.pipeline import Pipeline
from shipper.pipeline.result import Result
from shipper.source.accounting import Accounting
from shipper.source.budget import Budget
from shipper.source.reader import BLOCK_BYTES, Sink
from shipper.source.tail.tailer import Tailer


class StdinReader:
    """The lines of one pipe, as one target."""

    def __init__(
        self, fd: int, target: Target, pipeline: Pipeline, sink: Sink, budget: Budget, accounting: Accounting
    ) -> None:
        self._tailer = Tailer.of_pipe(fd)
        self._pipeline, self._sink, self._budget, self._accounting = pipeline.open(target), sink, budget, accounting
        self._target = target
        self._settled = asyncio.Event()

    async def run(self) -> None:
        """Read to the end of the pipe, or until cancelled."""
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
        for labels, kept in result.streams.items():
            part = Entries(labels, kept, Ticket(self, self, 0, len(kept)))
            self._budget.pending += part.memory
            self._sink.put(part)
