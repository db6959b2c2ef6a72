"""Sends entries to Loki: several streams at once, each in order, one stream per request.

When each stream goes is decided in schedule, what an answer means in outcome. Knows nothing of files: each part's
ticket names the owner that is told when it is settled.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

from shipper.backoff import waits
from shipper.config import ClientConfig
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.sink.answers.status import PushError
from shipper.sink.destination import Attempt, Destination, RequestSize
from shipper.sink.outcome import HOLD_FOR, Outcome
from shipper.sink.quarantine import Quarantine
from shipper.sink.queue import HARD_LIMIT
from shipper.sink.schedule import LINGER, Schedule
from shipper.sink.settlement import Settlement
from shipper.sink.stream import Stream


async def nothing_to_save(_parts: Sequence[Entries]) -> None:
    """For pushes whose labels depend on no state."""


class Sender:
    """Takes entries without ever blocking, and settles each exactly once, while `run` runs."""

    def __init__(
        self,
        config: ClientConfig,
        push: Callable[[bytes], Awaitable[PushError | None]],
        metrics: Metrics,
        *,
        before_push: Callable[[Sequence[Entries]], Awaitable[None]] = nothing_to_save,
        quarantine: Quarantine | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
        linger: float = LINGER,
        hold_for: float = HOLD_FOR,
    ) -> None:
        """`before_push` is awaited before each push. `quarantine` takes refused entries; None: they are dropped.

        `linger`: seconds a stream's first entry waits for more. `hold_for`: seconds a batch may get unknown 400s, while
        others are stored, before it is bisected.
        """
        self._push, self._before_push = push, before_push
        self._clock, self._wall = clock, wall
        new_waits = partial(waits, config.backoff_config.min_period, config.backoff_config.max_period)
        self._settlement = Settlement(metrics, quarantine, clock)
        self._destination = Destination(new_waits, clock)
        self._size = RequestSize(min(int(config.batchsize), HARD_LIMIT), clock)
        self._workers = int(config.max_in_flight_requests)
        self._schedule = Schedule(
            self._destination,
            self._size,
            new_waits,
            workers=self._workers,
            batchwait=float(config.batchwait),
            linger=linger,
            clock=clock,
        )
        self._outcome = Outcome(
            metrics, self._settlement, self._schedule, self._destination, self._size, new_waits, hold_for, clock
        )
        # What the reader says, and the end of a run, is for the schedule; what they wait for, the settlement knows.
        self.backlog, self.push_fullest = self._schedule.backlog, self._schedule.push_fullest
        self.flush, self.drained = self._schedule.flush, self._settlement.drained
        self._streams: dict[str, Stream] = {}  # that have entries which are not settled
        metrics.streams.set_function(lambda: len(self._streams))
        self._answered = asyncio.Event()  # something was answered
        self._stopped = asyncio.Event()
        self._running = False

    def put(self, entries: Entries) -> None:
        """Take entries of one stream; those put first go first."""
        stream = self._streams.get(entries.labels)
        if stream is None:
            stream = self._streams[entries.labels] = Stream(entries.labels)
        self._settlement.opened(len(entries))
        self._schedule.add(stream, entries)

    @property
    def pending(self) -> int:
        """Entries that are not settled."""
        return self._settlement.pending

    @property
    def stuck_for(self) -> float:
        """Seconds in which nothing was settled though something is pending; else 0."""
        return self._settlement.stuck_for

    @property
    def failing(self) -> str:
        """Why nothing goes to Loki; empty when something does, or nothing has to."""
        if self._destination.failing:
            return self._destination.failing
        since, refusal = self._outcome.last_unknown
        return refusal if self.pending and since > self._destination.last_success else ""

    async def run(self) -> None:
        """Send what is put, until closed. Raises what goes wrong within, but nothing that the network does."""
        self._running = True
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._work()) for _ in range(self._workers)]
                await self._stopped.wait()
                for worker in workers:
                    worker.cancel()
        finally:
            self._running = False
            self._schedule.stop()
            self._answered.set()

    async def close(self, within: float) -> None:
        """Stop. What is pending has so many seconds, but none while Loki is not accepting pushes.

        What is not settled by then is left so.
        """
        await asyncio.sleep(0)  # a `run` that was only just made a task begins first
        self.flush()
        deadline = self._clock() + within
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._running and self.pending and not self._is_hopeless(deadline):
                    self._answered.clear()
                    await self._answered.wait()
        self._stopped.set()
        while self._running:
            self._answered.clear()
            await self._answered.wait()

    def _is_hopeless(self, deadline: float) -> bool:
        """Whether nothing will be answered in time."""
        return bool(self._destination.failing) or self._schedule.is_idle_until(deadline)

    async def _work(self) -> None:
        while True:
            await self._send(*await self._schedule.next())

    async def _send(self, stream: Stream, attempt: Attempt) -> None:
        newest_sent = self._outcome.newest.of(stream.labels)
        batch = stream.next(self._clock(), self._size.limit, newest_sent, self._wall())
        await self._before_push(batch.parts)
        error = await self._push(batch.encoded())
        self._outcome.apply(stream, batch, error, attempt)
        if not stream.has_entries:
            del self._streams[stream.labels]
        self._schedule.done(stream, stored=error is None)
        self._answered.set()
