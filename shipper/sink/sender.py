"""Sends entries to Loki: several streams at once, each in order, one stream per request.

Owns the streams and the requests under way; what an answer means stands in outcome. Knows nothing of files:
each part's ticket names the owner that is told when it is settled.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from math import inf

from shipper.config import ClientConfig
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.sink.alarm import Alarm
from shipper.sink.answers.status import Trouble
from shipper.sink.batch import Batch
from shipper.sink.company import Company
from shipper.sink.destination import Attempt, Destination, RequestSize
from shipper.sink.outcome import PATIENCE, Outcome
from shipper.sink.queue import HARD_LIMIT
from shipper.sink.schedule import Schedule
from shipper.sink.settlement import Keep, Settlement
from shipper.sink.stream import Stream
from shipper.sink.workers import Workers

Turn = tuple[Stream, Batch, Attempt]
Push = Callable[[bytes], Awaitable[Trouble | None]]


async def nothing_to_save(_parts: Sequence[Entries]) -> None:
    """For pushes whose labels depend on no state."""


class Sender:
    """Takes entries without ever blocking, and settles each exactly once, while `run` runs."""

    def __init__(
        self,
        config: ClientConfig,
        push: Push,
        metrics: Metrics,
        *,
        before_push: Callable[[Sequence[Entries]], Awaitable[None]] = nothing_to_save,
        keep: Keep | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
        patience: float = PATIENCE,
    ) -> None:
        """`keep` takes what is refused for good (None: it is dropped); `before_push` is awaited before each push.

        `patience`: seconds a batch may be refused with unknown words, while others are stored, before it is bisected.
        """
        self._push = push
        self._before_push = before_push
        self._clock = clock
        self._wall = wall
        self._company = Company(float(config.batchwait))
        self._is_awaited = False  # by who cannot put more before something is settled
        self._settlement = Settlement(metrics, keep, clock)
        self._destination = Destination(config.backoff_config, clock)
        self._size = RequestSize(min(int(config.batchsize), HARD_LIMIT), clock)
        self._outcome = Outcome(
            config.backoff_config, metrics, self._settlement, self._destination, self._size, clock, patience
        )
        self._streams: dict[str, Stream] = {}
        metrics.streams.set_function(lambda: len(self._streams))
        self._schedule = Schedule()
        self._workers = Workers(int(config.max_in_flight), self._next, self._send)
        self._alarm = Alarm(self._look)
        self._answered = asyncio.Event()  # something was answered
        self._stopped = asyncio.Event()
        self._running = False

    # what others ask of it

    def put(self, entries: Entries) -> None:
        """Take entries of one stream; those put first go first."""
        stream = self._streams.get(entries.labels)
        if stream is None:
            stream = self._streams[entries.labels] = Stream(entries.labels)
        now = self._clock()
        first = not stream.queue
        stream.queue.put(entries, now)
        self._settlement.opened(len(entries), now)
        self._is_awaited = False
        if first:
            self._company.first_came(stream, now)
            self._plan(stream, now)
        if stream.queue.size >= self._size.limit:
            self._release(stream, now)

    def backlog(self, more: bool) -> None:
        """While more is about to come than can go at once, entries wait longer for company, as they are old anyway.

        Then what has waited as long as usual goes at once.
        """
        if self._company.expect_more(more):
            self._wait_anew()

    def push_fullest(self) -> None:
        """Nothing more can be put before something is settled: the fullest streams go, as many as can at once.

        The others wait for company as long as they would have, and no longer: nobody is passed over for ever.
        """
        self._is_awaited = True
        self._release_fullest(self._workers.free)

    def flush(self) -> None:
        """Nothing more is put: nobody waits for company."""
        self._company.end()
        self._wait_anew()

    async def drained(self) -> None:
        """Wait until everything that was put is settled."""
        await self._settlement.drained()

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
        since, refusal = self._outcome.held
        return refusal if self.pending and since > self._destination.last_success else ""

    async def run(self) -> None:
        """Send what is put, until closed. Raises what goes wrong within; troubles of the network do not."""
        self._running = True
        try:
            async with asyncio.TaskGroup() as group:
                self._workers.start(group)
                self._look()
                await self._stopped.wait()
                self._workers.stop()
        finally:
            self._running = False
            self._alarm.off()
            self._answered.set()

    async def close(self, within: float) -> None:
        """Stop. What is under way or waiting has so many seconds, but none when Loki takes nothing now.

        What is not settled by then is left so.
        """
        await asyncio.sleep(0)  # a `run` that was only just made a task begins first
        self.flush()
        deadline = self._clock() + within
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._running and self.pending and not self._hopeless(deadline):
                    self._answered.clear()
                    await self._answered.wait()
        self._stopped.set()
        while self._running:
            self._answered.clear()
            await self._answered.wait()

    def _hopeless(self, deadline: float) -> bool:
        """Nothing will be answered in time: Loki takes nothing, or what is left is held for longer."""
        if self._destination.failing:
            return True
        return self._workers.are_idle and all(stream.due > deadline for stream in self._streams.values())

    # whose turn it is

    def _plan(self, stream: Stream, now: float) -> None:
        """Give the stream its next turn; one with a request under way has it after the answer."""
        if not stream.busy:
            self._schedule.add(stream, stream.due, now)
            self._rouse(now)

    def _release(self, stream: Stream, now: float) -> None:
        """What is queued waits for no company any more, only for an answer or a back-off."""
        if stream.ready_at > 0.0:
            stream.ready_at = 0.0
            self._plan(stream, now)

    def _release_fullest(self, free: int) -> None:
        """So many could be under way, those included whose turn it is already."""
        now = self._clock()
        if (some := free - self._schedule.due(now)) > 0:
            for stream in self._company.fullest(self._streams.values(), some, now):
                self._release(stream, now)

    def _wait_anew(self) -> None:
        """What is queued waits for company as long as it should by now."""
        now = self._clock()
        for stream in self._company.changed(self._streams.values(), now):
            self._plan(stream, now)

    def _look(self) -> None:
        self._rouse(self._clock())

    def _rouse(self, now: float) -> None:
        """See that whoever's turn it is has it, and that the next turn is not missed."""
        opens_at, due, at = self._destination.opens_at, self._schedule.due(now), self._schedule.next_due
        if due and opens_at <= now:
            self._workers.rouse(due)
        elif due:
            at = opens_at
        if (at := max(at, opens_at)) < inf:
            self._alarm.set(at, now)

    def _next(self) -> Turn | None:
        """The next push that may begin now."""
        now = self._clock()
        stream = self._schedule.pop(now) if self._destination.opens_at <= now else None
        attempt = self._destination.begin() if stream is not None else None
        if self._schedule:
            self._rouse(now)  # for the others
        if stream is None or attempt is None:
            return None
        stream.busy = True
        batch = stream.next(now, self._size.limit, self._outcome.newest.of(stream.labels), self._wall())
        return stream, batch, attempt

    # one push

    async def _send(self, turn: Turn) -> None:
        stream, batch, attempt = turn
        await self._before_push(batch.parts)
        trouble = await self._push(batch.encoded())
        self._outcome.apply(stream, batch, trouble, attempt)
        self._after(stream)
        if trouble is not None and self._is_awaited:  # it may have freed nothing: then another must
            self._release_fullest(1 + self._workers.free)

    def _after(self, stream: Stream) -> None:
        """The stream's next turn: at once when something came meanwhile. It is forgotten when nothing did."""
        stream.busy = False
        if stream.pending:
            self._company.was_answered(stream, self._size.limit)
            self._schedule.add(stream, stream.due, self._clock())  # who was answered looks for work next
        else:
            del self._streams[stream.labels]
        self._answered.set()
