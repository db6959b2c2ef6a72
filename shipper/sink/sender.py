"""Sends entries to Loki: several streams at once, each in order, one stream per request.

When each stream goes is decided in schedule, what an answer means in outcome. Knows nothing of files: each part's
ticket names the owner that is told when it is settled.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any

from shipper.backoff import waits
from shipper.config import ClientConfig
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.sink.answers.status import PushError, TimedOut, Unavailable
from shipper.sink.batch import Batch
from shipper.sink.destination import Attempt, Destination, RequestSize
from shipper.sink.division import Division
from shipper.sink.fault import Fault
from shipper.sink.newest import Newest
from shipper.sink.outcome import HOLD_FOR, Outcome
from shipper.sink.quarantine import Quarantine
from shipper.sink.queue import HARD_LIMIT, Queue
from shipper.sink.schedule import LINGER, Schedule
from shipper.sink.settlement import Settlement
from shipper.sink.stream import Stream


async def nothing_to_save(_parts: Sequence[Entries]) -> None:
    """For pushes whose labels depend on no state."""


@dataclass(slots=True, eq=False)
class _Push:
    """A request under way."""

    stream: Stream
    batch: Batch
    attempt: Attempt
    begun: float
    task: asyncio.Task[Any]
    timer: asyncio.TimerHandle = field(init=False)
    is_overdue: bool = False  # it counts as failed, and its answer only tells how slow Loki is


class Sender:
    """Takes entries without ever blocking, and settles each exactly once, while `run` runs."""

    def __init__(
        self,
        config: ClientConfig,
        push: Callable[[bytes, float], Awaitable[PushError | None]],
        metrics: Metrics,
        *,
        before_push: Callable[[Sequence[Entries]], Awaitable[None]] = nothing_to_save,
        quarantine: Quarantine | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
        linger: float = LINGER,
        hold_for: float = HOLD_FOR,
    ) -> None:
        """`push` sends a body and waits as many seconds for the answer. `before_push` is awaited before each push.

        `quarantine` takes refused entries; None: they are dropped.

        `linger`: seconds a stream's first entry waits for more. `hold_for`: seconds a batch may get unknown 400s, while
        others are stored, before it is bisected.
        """
        self._push, self._before_push = push, before_push
        self._clock, self._wall = clock, wall
        new_waits = partial(waits, config.backoff_config.min_period, config.backoff_config.max_period)
        self._settlement = Settlement(metrics, quarantine, clock)
        self._destination = Destination(new_waits, clock, float(config.timeout))
        self._patience = self._destination.patience
        self._size = RequestSize(min(int(config.batchsize), HARD_LIMIT), clock)
        self._newest = Newest()
        self._workers = int(config.max_in_flight_requests)
        self._schedule = Schedule(
            self._destination,
            self._size,
            new_waits,
            self._newest,
            workers=self._workers,
            batchwait=float(config.batchwait),
            linger=linger,
            clock=clock,
        )
        self._fault = Fault(self._destination, self._schedule, clock)
        division = Division(self._destination, self._size, new_waits, clock)
        self._outcome = Outcome(
            metrics,
            self._settlement,
            self._schedule,
            self._destination,
            division,
            self._fault,
            self._newest,
            hold_for,
            clock,
        )
        # What the reader says, and the end of a run, is for the schedule; what they wait for, the settlement knows.
        self.backlog, self.push_fullest = self._schedule.backlog, self._schedule.push_fullest
        self.flush, self.drained = self._schedule.flush, self._settlement.drained
        self._streams: dict[str, Stream] = {}  # that have entries which are not settled
        metrics.streams.set_function(lambda: len(self._streams))
        metrics.streams_failing.set_function(lambda: len(self.failing_streams))
        self._answered = asyncio.Event()  # something was answered
        self._stopped = asyncio.Event()
        self._running = False
        self._tasks: set[asyncio.Task[None]] = set()  # workers, and pushes that are overdue
        self._overdue = 0  # pushes

    def put(self, entries: Entries) -> None:
        """Take entries of one stream; those put first go first."""
        stream = self._streams.get(entries.labels)
        if stream is None:
            queue = Queue(*self._outcome.additions.labels(entries.labels))
            stream = self._streams[entries.labels] = Stream(entries.labels, queue)
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
        since, refusal = self._fault.last
        return refusal if self.pending and since > self._destination.last_success else ""

    @property
    def failing_for(self) -> float:
        """Seconds since nothing goes to Loki, as far as that is known; 0 while something does."""
        return (self._destination.failing_for or self.stuck_for) if self.failing else 0.0

    @property
    def stored_ago(self) -> float:
        """Seconds since Loki has stored something; infinite: it has not."""
        return self._clock() - self._destination.last_success

    @property
    def failing_streams(self) -> dict[str, str]:
        """Streams that fail while others are stored, and why."""
        return {labels: str(stream.fault) for labels, stream in self._streams.items() if stream.fault}

    async def run(self) -> None:
        """Send what is put, until closed. Raises what goes wrong within, but nothing that the network does."""
        self._running = True
        try:
            async with asyncio.TaskGroup() as group:
                self._group, self._loop = group, asyncio.get_running_loop()
                for _ in range(self._workers):
                    self._start(self._work())
                await self._stopped.wait()
                for task in self._tasks:
                    task.cancel()
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

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        while await self._send(*await self._schedule.next()):
            pass

    async def _send(self, stream: Stream, attempt: Attempt) -> bool:
        """One push. False: it was overdue, and another worker has taken over."""
        batch = self._outcome.additions.adapted(self._next_batch(stream))
        await self._before_push(batch.parts)
        task = asyncio.current_task()
        assert task is not None
        push = _Push(stream, batch, attempt, self._clock(), task)
        push.timer = self._loop.call_later(self._patience.of(stream), self._may_be_overdue, push)
        try:
            error = await self._push(batch.encoded(), inf)
        finally:
            push.timer.cancel()
            self._overdue -= push.is_overdue
        may_be_slow = push.is_overdue or self._patience.is_long or stream.answer_took
        if may_be_slow and not isinstance(error, Unavailable):
            self._patience.answered(stream, self._clock() - push.begun)
        if not push.is_overdue:
            self._apply(push, error)
        return not push.is_overdue

    def _may_be_overdue(self, push: "_Push") -> None:
        """The push has no answer yet. It counts as failed; its worker goes on waiting, and another takes its place."""
        patience = self._patience.of(push.stream)
        if (left := push.begun + patience - self._clock()) > 0:  # it has become longer meanwhile
            push.timer = self._loop.call_later(left, self._may_be_overdue, push)
            return
        push.is_overdue = True
        self._overdue += 1
        self._start(self._take_over(push, TimedOut("timeout", f"no answer within {patience:.3g} s")))
        enough = self._overdue > self._workers  # are open to learn from
        push.timer = self._loop.call_later(0.0 if enough else self._patience.longest - patience, push.task.cancel)

    async def _take_over(self, push: "_Push", error: TimedOut) -> None:
        self._apply(push, error)
        await self._work()

    def _apply(self, push: "_Push", error: PushError | None) -> None:
        stream = push.stream
        self._outcome.apply(stream, push.batch, error, push.attempt)
        if not stream.has_entries:
            del self._streams[stream.labels]
        self._schedule.done(stream, stored=error is None)
        self._answered.set()

    def _next_batch(self, stream: Stream) -> Batch:
        limit = self._size.limit
        for pace in (self._destination.pace, stream.pace):
            if pace is not None and pace.most < limit:
                limit = int(pace.most)
        return stream.next(self._clock(), limit, self._newest.of(stream.queue.labels), self._wall())
