"""When each stream pushes next, and which goes first.

A stream is due when its linger and its back-off are over; it has one request under way at most. Of the streams that are
due, the one whose oldest entry has waited longest goes first, as soon as a worker is idle and the destination accepts
pushes. Knows nothing of what an answer means: it is told of back-offs.

A stream whose last push failed may be the only one that fails. So few of them are under way at once, and while the
destination is failing the others probe first: those that have failed least, and of these what Loki has stored last.

The linger: a push costs as much as a hundred entries, so a stream's first entry waits for more, for 0.1 s, and for
`batchwait` while there is a backlog. It ends at once when the queue fills a request.
"""

import asyncio
import heapq
from collections.abc import Callable, Iterator
from itertools import count
from math import inf

from shipper.entries import Entries
from shipper.sink.destination import Attempt, Destination, RequestSize
from shipper.sink.newest import Newest
from shipper.sink.stream import Stream

LINGER = 0.1  # seconds

Push = tuple[Stream, Attempt]
Row = tuple[float, int, Stream]  # of a heap; the number makes it unique


class Schedule:
    """Hands streams to workers that wait in `next`. Costs nothing while nothing is due: there is one timer, no polling.

    Times are of the monotonic clock, in seconds.
    """

    def __init__(
        self,
        destination: Destination,
        size: RequestSize,
        new_waits: Callable[[], Iterator[float]],
        newest: Newest,
        *,
        workers: int,
        batchwait: float,
        linger: float,
        clock: Callable[[], float],
    ) -> None:
        """`new_waits` makes the waits of a stream's back-off; `workers` is how many call `next`."""
        self._destination, self._size, self._new_waits, self._clock = destination, size, new_waits, clock
        self._newest = newest
        self._workers = workers
        self._most_retries = max(1, workers // 4)
        self._retries = 0  # requests under way of streams whose last push failed
        self._usual_linger, self._longest_linger = min(linger, batchwait), batchwait
        self._has_backlog = False
        self._is_out_of_budget = False  # the reader; it can put nothing before something is settled
        # Streams that have no request under way, with the number of each one's row; other rows are void.
        self._waiting: dict[Stream, int] = {}
        self._later: list[Row] = []  # a heap by the time they are due
        self._due: list[Row] = []  # a heap by the age of their oldest entry
        self._due_again: list[Row] = []  # streams whose last push failed: a heap by when it did
        self._numbers = count()
        self._under_way = 0  # requests
        # Idle workers; the one that was busy last goes first: its memory is in the cache.
        self._idle: list[asyncio.Future[Push]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    # when

    def due(self, stream: Stream) -> float:
        """When the stream may push next."""
        ready = 0.0 if stream.repeats else stream.ready_at if stream.queue else inf
        return max(stream.not_before, min(ready, stream.held_until))

    def add(self, stream: Stream, entries: Entries) -> None:
        """Queue entries of the stream: its first ones begin its linger, those that fill a request end it."""
        now, is_first = self._clock(), not stream.queue
        stream.queue.put(entries, now)
        self._is_out_of_budget = False
        if stream.queue.size >= self._size.limit:
            if not is_first and stream.ready_at <= now:
                return
            stream.ready_at = 0.0
        elif is_first:
            stream.ready_at = now + self._linger
        else:
            return
        if not stream.busy:
            self._enter(stream, now)
            self._dispatch(now)

    def backlog(self, more: bool) -> None:
        """Whether more can be read than can be sent: then lines are old anyway, and streams linger for `batchwait`."""
        if more != self._has_backlog:
            self._has_backlog = more
            self._update_lingers()

    def flush(self) -> None:
        """Nothing more comes: no stream lingers from now on."""
        self._usual_linger = self._longest_linger = 0.0
        self._update_lingers()

    def push_fullest(self) -> None:
        """The reader is out of budget: push the largest queues now, one per idle worker; the rest keep their linger."""
        self._is_out_of_budget = True
        if self._under_way == self._workers:
            return
        now = self._clock()
        free = self._workers - self._under_way - sum(self.due(stream) <= now for stream in self._waiting)
        lingering = [stream for stream in self._waiting if _only_lingers(stream, now)]
        for stream in heapq.nlargest(free, lingering, key=lambda stream: stream.queue.size):
            stream.ready_at = 0.0
            self._enter(stream, now)
        self._dispatch(now)

    def back_off(self, stream: Stream, at_least: float) -> None:
        """An answer was about this stream alone: it waits, longer with each time in a row, and `at_least` seconds."""
        stream.waits = stream.waits or self._new_waits()
        stream.not_before = self._clock() + max(next(stream.waits), at_least)
        stream.queue.pack()

    def end_back_off(self, stream: Stream) -> None:
        """An answer showed that the stream need not wait, but for a rate that was named."""
        stream.waits, stream.not_before = None, stream.pace.opens_at if stream.pace else 0.0

    @property
    def _linger(self) -> float:
        return self._longest_linger if self._has_backlog else self._usual_linger

    def _update_lingers(self) -> None:
        now = self._clock()
        for stream in self._waiting:
            if stream.queue and stream.ready_at > now:
                stream.ready_at = stream.queue.since + self._linger
                self._enter(stream, now)
        self._dispatch(now)

    # who goes first

    async def next(self) -> Push:
        """Wait for the stream that pushes next. `done` must be called once its request is answered."""
        if self._waiting:
            now = self._clock()
            if (push := self._take(now)) is not None:
                self._dispatch(now)  # an answer may have opened the destination for the others
                return push
            self._set_timer(now)
        worker: asyncio.Future[Push] = asyncio.get_running_loop().create_future()
        self._idle.append(worker)
        return await worker

    def done(self, stream: Stream, *, stored: bool) -> None:
        """The stream's request was answered. What came meanwhile does not linger, unless there is a backlog."""
        stream.busy = False
        self._under_way -= 1
        if stream.is_retry:
            stream.is_retry = False
            self._retries -= 1
        queue = stream.queue
        if stream.has_entries:
            lingers = self._has_backlog and queue and queue.size < self._size.limit
            stream.ready_at = queue.since + self._longest_linger if lingers else 0.0
            self._enter(stream, self._clock())  # the worker that was answered calls `next` now
        if self._is_out_of_budget and not stored:  # it freed no budget, so another stream must go
            self.push_fullest()

    def is_idle_until(self, deadline: float) -> bool:
        """Whether no request is under way, and none will be before that time."""
        return not self._under_way and all(self.due(stream) > deadline for stream in self._waiting)

    def stop(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _enter(self, stream: Stream, now: float) -> None:
        """Enter the stream by when it is due now; the row it had is void."""
        number = self._waiting[stream] = next(self._numbers)
        if (due := self.due(stream)) <= now:
            self._enter_due(number, stream)
        else:
            heapq.heappush(self._later, (due, number, stream))

    def _enter_due(self, number: int, stream: Stream) -> None:
        if stream.failures:
            heapq.heappush(self._due_again, (stream.failed_at, number, stream))
        else:
            heapq.heappush(self._due, (stream.since, number, stream))

    def _collect_due(self, now: float) -> None:
        """Move streams that have become due to the other heap, and drop void rows."""
        while self._later:
            due, number, stream = self._later[0]
            is_valid = self._waiting.get(stream) == number
            if is_valid and due > now:
                return
            heapq.heappop(self._later)
            if is_valid:
                self._enter_due(number, stream)

    def _take(self, now: float) -> Push | None:
        """Begin the next push, if one may begin now."""
        if self._destination.opens_at > now:
            return None
        self._collect_due(now)
        stream = self._next_probe() if self._destination.is_failing else self._next_due(now)
        if stream is None:
            return None
        del self._waiting[stream]
        stream.busy = True
        self._under_way += 1
        if stream.failures:
            stream.is_retry = True
            self._retries += 1
        self._spend(stream)
        return stream, self._destination.begin()

    def _next_due(self, now: float) -> Stream | None:
        """The stream that goes first while the destination accepts pushes."""
        may_retry = self._due_again and self._may_retry and self._destination.opens_alone_at <= now
        return (self._pop(self._due_again) if may_retry else None) or self._pop(self._due)

    def _next_probe(self) -> Stream | None:
        """The stream that is most likely to be stored, if the destination accepts anything."""
        rows = [row for row in (*self._due, *self._due_again) if self._waiting.get(row[2]) == row[1]]
        if not rows:
            self._due, self._due_again = [], []  # void rows must not set the timer
            return None
        _, _, stream = min(rows, key=lambda row: (row[2].failures, -(self._newest.of(row[2].queue.labels) or 0), row))
        return stream

    def _pop(self, due: list[Row]) -> Stream | None:
        while due:
            _, number, stream = heapq.heappop(due)
            if self._waiting.get(stream) == number:
                return stream
        return None

    @property
    def _may_retry(self) -> bool:
        """Whether another stream may push whose last push failed: all may, where Loki is only slow."""
        return self._retries < self._most_retries or self._destination.patience.is_long

    def _spend(self, stream: Stream) -> None:
        """Note for the paces that are in force what goes now."""
        tenant, pace = self._destination.pace, stream.pace
        if tenant.most < inf or pace:
            size = stream.next_size(int(min(self._size.limit, tenant.most, pace.most if pace else inf)))
            if tenant.most < inf:
                tenant.spend(size)
            if pace:
                pace.spend(size)
                stream.not_before = max(stream.not_before, pace.opens_at)

    def _dispatch(self, now: float) -> None:
        """Hand streams that are due to idle workers."""
        while self._idle and self._waiting:
            if self._idle[-1].done():  # cancelled with its task
                self._idle.pop()
            elif (push := self._take(now)) is not None:
                self._idle.pop().set_result(push)
            else:
                self._set_timer(now)
                return

    def _set_timer(self, now: float) -> None:
        """See that an idle worker gets the next stream in time.

        The timer may ring too early: that costs less than to set one for each stream and to take it back.
        """
        at = self._next_at()
        if at == inf or (self._timer is not None and self._timer_at <= at):
            return
        self.stop()
        self._timer_at = at
        self._timer = asyncio.get_running_loop().call_later(at - now, self._ring)

    def _next_at(self) -> float:
        """When the next push may begin, or a bit earlier; infinite: not before something is answered or put."""
        next_due = 0.0 if self._due else self._later[0][0] if self._later else inf
        if self._due_again:
            if self._destination.is_failing:
                next_due = 0.0
            elif self._may_retry:
                next_due = min(next_due, self._destination.opens_alone_at)
        return max(next_due, self._destination.opens_at)

    def _ring(self) -> None:
        self._timer = None
        self._dispatch(self._clock())


def _only_lingers(stream: Stream, now: float) -> bool:
    return stream.ready_at > now >= stream.not_before and bool(stream.queue) and not stream.repeats
