"""Sends entries to Loki: several streams at once, each in order, one stream per request.

Owns the streams and the requests under way; what an answer means stands in outcome. Knows nothing of files:
settled entries go back through a callable.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from shipper.config import ClientConfig
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.sink.answer import Trouble
from shipper.sink.batch import Batch
from shipper.sink.destination import Attempt, Destination, RequestSize
from shipper.sink.outcome import PATIENCE, Outcome
from shipper.sink.queue import HARD_LIMIT
from shipper.sink.schedule import Schedule
from shipper.sink.settlement import Keep, OnSettled, Settlement
from shipper.sink.stream import Stream

LINGER = 0.1  # seconds a stream's first entry waits for company: a push costs as much as a hundred entries

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
        on_settled: OnSettled,
        before_push: Callable[[Sequence[Entries]], Awaitable[None]] = nothing_to_save,
        keep: Keep | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
        patience: float = PATIENCE,
    ) -> None:
        """`keep` takes what is refused for good (None: it is dropped); `before_push` is awaited before each push.

        `on_settled` is told of each part of what was put, once: the part, and how many of its entries were refused.
        `patience`: seconds a batch may be refused with unknown words, while others are stored, before it is bisected.
        """
        self._push = push
        self._before_push = before_push
        self._metrics = metrics
        self._clock = clock
        self._wall = wall
        self._linger = min(LINGER, float(config.batchwait))
        self._most = int(config.max_in_flight)
        self._settlement = Settlement(metrics, on_settled, keep, clock)
        self._destination = Destination(config.backoff_config, clock)
        self._size = RequestSize(min(int(config.batchsize), HARD_LIMIT), clock)
        self._outcome = Outcome(
            config.backoff_config, metrics, self._settlement, self._destination, self._size, clock, patience
        )
        self._streams: dict[str, Stream] = {}
        self._schedule = Schedule()
        self._requests: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._wake = asyncio.Event()  # something may have to be sent
        self._answered = asyncio.Event()  # something was answered
        self._stopped = asyncio.Event()
        self._running = False

    # what others ask of it

    def put(self, entries: Entries) -> None:
        """Take entries of one stream; those put first go first."""
        stream = self._streams.get(entries.labels)
        if stream is None:
            stream = self._streams[entries.labels] = Stream(entries.labels)
            self._metrics.streams.set(len(self._streams))
        now = self._clock()
        first = not stream.queue
        stream.queue.put(entries, now)
        self._settlement.opened(len(entries))
        if first:
            stream.ready_at = now + self._linger
            self._plan(stream)
        if stream.queue.size >= self._size.limit:
            self._hurry(stream)

    def hurry(self) -> None:
        """Wait for no more company: nothing more comes before something is settled."""
        for stream in self._streams.values():
            self._hurry(stream)

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
            async with asyncio.TaskGroup() as requests:
                while not self._stopped.is_set():
                    self._wake.clear()
                    self._start(requests)
                    await self._wait()
                for request in self._requests:
                    request.cancel()
        finally:
            self._running = False
            self._answered.set()

    async def close(self, within: float) -> None:
        """Stop. What is under way or waiting has so many seconds, but none when Loki takes nothing now.

        What is not settled by then is left so.
        """
        await asyncio.sleep(0)  # a `run` that was only just made a task begins first
        self._linger = 0.0
        self.hurry()
        deadline = self._clock() + within
        try:
            async with asyncio.timeout(within):
                while self._running and self.pending and not self._hopeless(deadline):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            pass
        self._stopped.set()
        self._wake.set()
        while self._running:
            self._answered.clear()
            await self._answered.wait()

    def _hopeless(self, deadline: float) -> bool:
        """Nothing will be answered in time: Loki takes nothing, or what is left is held for longer."""
        if self._destination.failing:
            return True
        return not self._in_flight and all(stream.due > deadline for stream in self._streams.values())

    # whose turn it is

    def _plan(self, stream: Stream) -> None:
        """Give the stream its next turn; one with a request under way has it after the answer."""
        if not stream.busy:
            self._schedule.add(stream, stream.due)
            self._wake.set()

    def _hurry(self, stream: Stream) -> None:
        """What is queued waits for nothing any more, except an answer or a back-off."""
        if stream.queue and stream.ready_at > 0.0:
            stream.ready_at = 0.0
            self._plan(stream)

    def _start(self, requests: asyncio.TaskGroup) -> None:
        """Begin all pushes that may begin now."""
        now = self._clock()
        while self._in_flight < self._most and self._destination.opens_at <= now:
            stream = self._schedule.pop(now)
            if stream is None:
                return
            stream.busy = True
            self._in_flight += 1
            batch = stream.next(now, self._size.limit, self._outcome.newest.of(stream.labels), self._wall())
            request = requests.create_task(self._send(stream, batch, self._destination.begin()))
            self._requests.add(request)
            request.add_done_callback(self._requests.discard)

    async def _wait(self) -> None:
        """Until something changes, or a turn comes."""
        now = self._clock()
        due = self._schedule.next_due(now)
        if due is None or self._in_flight >= self._most:
            await self._wake.wait()
            return
        wait = max(due, self._destination.opens_at) - now
        try:
            async with asyncio.timeout(wait if wait < 86_400 else None):
                await self._wake.wait()
        except TimeoutError:
            pass

    # one push

    async def _send(self, stream: Stream, batch: Batch, attempt: Attempt) -> None:
        await self._before_push(batch.parts)
        trouble = await self._push(batch.encoded())
        self._outcome.apply(stream, batch, trouble, attempt)
        self._after(stream)

    def _after(self, stream: Stream) -> None:
        """The stream's next turn, at once when something came meanwhile; it is forgotten when nothing did."""
        self._in_flight -= 1
        stream.busy = False
        stream.ready_at = 0.0
        if stream.pending:
            self._plan(stream)
        else:
            del self._streams[stream.labels]
            self._metrics.streams.set(len(self._streams))
        self._wake.set()
        self._answered.set()
