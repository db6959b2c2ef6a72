"""One loop over all logs: fair turns.

A log is read when something has happened to it, not on a tick. Each log with something to read gets a time slice of a
few milliseconds, one block at least, as long as the budget has room for it.
"""

import asyncio
import contextlib
import mmap
import time
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

from shipper.entries import Entries, Ticket
from shipper.pipeline.result import Result
from shipper.source.accounting import Accounting
from shipper.source.budget import SMALLEST_READ, Budget
from shipper.source.deleted import DeletedFiles
from shipper.source.descriptors import Descriptors
from shipper.source.discovery.targets import is_directory
from shipper.source.follower import Follower, Next, OnSettled
from shipper.source.pacing import Pacing
from shipper.source.peer_wait import PeerWait, memory_of
from shipper.source.positions.saver import Saver
from shipper.source.target_set import OnChange, TargetSet
from shipper.source.timing import Timing

BLOCK_BYTES: Final = 1 << 20  # of one read


class Sink(Protocol):
    """Where entries go."""

    def put(self, entries: Entries) -> None:
        """Take these, without waiting; their ticket's owner is told when they are settled, which may be at once."""

    def push_fullest(self) -> None:
        """Nothing more can be read before something is settled."""

    def backlog(self, more: bool) -> None:
        """There is, or is not, more to read at once."""


class Reader:
    """Reads all logs of a target set into a sink.

    A log is in one of these at most, or has nothing to do until something happens to it: `ready` has a turn coming;
    `waiting` is for time to pass, until the next tick; `paused` has used its share of the budget, until Loki answers.
    """

    def __init__(
        self,
        target_set: Callable[[OnChange, OnSettled], TargetSet],
        sink: Sink,
        saver: Saver,
        accounting: Accounting,
        budget: Budget,
        descriptors: Descriptors,
        max_line_size: int,
        *,
        deleted: DeletedFiles,
        timing: Timing,
        peer_wait: PeerWait | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        """`target_set` makes the set of what is read, given who is told of changes and of settled entries."""
        self._target_set = target_set(self._make_ready, self._settled)
        self._sink, self._saver, self._accounting = sink, saver, accounting
        self._timing, self._clock, self._wall = timing, clock, wall
        self.budget, self.descriptors, self._deleted = budget, descriptors, deleted
        self._pacing = Pacing(self._target_set.changes, self._target_set.writes, timing, clock)
        self.ready: dict[Follower, None] = {}  # have something to read, in the order of their turns
        self.waiting: set[Follower] = set()  # for time to pass
        self.paused: set[Follower] = set()  # for Loki's answers
        size = max(BLOCK_BYTES, max_line_size) + SMALLEST_READ
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._buffer = memoryview(pages)  # takes memory as it is used, and short turns use little
        self._peer_wait = peer_wait
        self._is_busy = False  # something was written since it slept,
        self._has_kept = False  # and something was kept

    @property
    def followers(self) -> dict[str, Follower]:
        """All logs that are followed, by key."""
        return self._target_set.followers

    @property
    def is_ready(self) -> bool:
        """Whether the first scan is done."""
        return self._target_set.is_scanned

    async def run(self, *, once: bool = False) -> None:
        """Read until cancelled; with `once` until everything there is has been read."""
        try:
            async with self._peer_wait or contextlib.nullcontext():
                await self._run(once)
        finally:
            self._pacing.close()
            self._target_set.close()

    def ask_again(self) -> None:
        """More is known of the targets than there was."""
        if unnamed := self._target_set.unnamed:
            self.ready.update(dict.fromkeys(unnamed))
            self._pacing.wake()

    async def _run(self, once: bool) -> None:
        next_scan = next_tick = -inf
        is_first_pass = True
        while True:
            now = self._clock()
            if now >= next_scan:
                self._target_set.scan(required=once)
                self._accounting.notices.unshipped_hourly()
                next_scan = now + self._timing.rescan
            if now >= next_tick:
                self._tick()
                next_tick = now + self._timing.tick
            self._pacing.clear()
            self._is_busy, self._has_kept = self._target_set.note_changes(), False
            await self._turns(once)
            if is_first_pass and not self.paused:
                is_first_pass = False
                self._accounting.notices.unshipped()
            if once and not self.paused and not self._time_brings_more:
                self._sink.backlog(False)
                return
            if self.paused and self.budget.is_used_up:  # one that has had its share waits alone
                self._sink.push_fullest()
            else:
                self._sink.backlog(False)
            until = next_tick if self.waiting or self._target_set.has_unwatched else next_scan
            await self._pacing.sleep(until, is_busy=self._is_busy, has_kept=self._has_kept)

    @property
    def _time_brings_more(self) -> bool:
        """Whether time will bring something to read, though nothing more is written."""
        return bool(self._target_set.unnamed) or any(one.files.must_list for one in self.waiting)

    # -- turns

    def _make_ready(self, follower: Follower) -> None:
        self.ready[follower] = None

    def _tick(self) -> None:
        self._target_set.scan_unwatched()
        for follower in self.waiting:
            self._make_ready(follower)
        self.waiting.clear()

    async def _turns(self, once: bool) -> None:
        """A turn for each that has something to read, until none has."""
        paused_at = self._clock()
        while self.ready:
            for follower in list(self.ready):
                if once:
                    follower.drain()
                await self.turn(follower)
                if losses := follower.files.take_losses():
                    self._accounting.enter_losses(losses)
                if self.ready and self._clock() - paused_at >= self._timing.yield_after:
                    await asyncio.sleep(0)
                    paused_at = self._clock()
            self.ready.update(self._deleted.give_up_oldest())
            if self.ready:
                self._sink.backlog(True)
                self._is_busy |= self._target_set.note_changes()

    async def turn(self, follower: Follower) -> None:
        """List the files of one log and read its blocks, as far as that is due, until its time slice is over."""
        now = self._clock()
        if follower.behind_since is None:
            follower.behind_since = now
        self.descriptors.busy(follower)
        if follower.files.must_open and not self.descriptors.may_open(follower):
            follower.files.expire_listing()
            self._wait(follower)
            return
        if follower.files.must_list:
            self._list(follower, now)
            self._target_set.listed(follower)
        if follower in self._target_set.unnamed and not self._target_set.name(follower):  # its files are held meanwhile
            self._wait(follower)
            return
        await self._read(follower, now)

    def _wait(self, follower: Follower) -> None:
        self.ready.pop(follower, None)
        self.waiting.add(follower)

    def _list(self, follower: Follower, now: float) -> None:
        try:
            if not follower.files.refresh(now):
                self.list_later(follower)
            self._deleted.listed(follower)
            if follower.note_quiet(self._wall()):
                self._saver.passed_over()
        except OSError as error:
            self._accounting.enter_unreadable(follower.files.directory, error)
            self.waiting.add(follower)

    def list_later(self, follower: Follower) -> None:
        """List the files of this log again in a short while, if it is still followed then."""

        def again() -> None:
            if follower in self.followers.values():
                follower.files.expire_listing()
                self._make_ready(follower)
                self._pacing.wake()

        asyncio.get_running_loop().call_later(self._timing.relist, again)

    async def _read(self, follower: Follower, now: float) -> None:
        wall = self._wall()
        while (room := self.budget.room(follower.pending_memory)) >= SMALLEST_READ:
            step = await follower.step(self._buffer, min(room, BLOCK_BYTES), now, wall)
            self._target_set.touch(follower)  # after it: while it waited for the disk, a save may have been made
            if step.result is not None and step.ticket is not None:
                self._take(follower, step.result, step.ticket, step.size)
            if step.next is Next.REST:
                self._rest(follower)
                return
            if step.next is Next.LIST or self._clock() - now > self._timing.turn:
                return
        self.paused.add(follower)
        del self.ready[follower]

    def _take(self, follower: Follower, result: Result, ticket: Ticket, size: int) -> None:
        self._accounting.enter(follower.target, result, size)
        if self._peer_wait and self._peer_wait.must_hold(follower, result):
            self._has_kept = True
            self._hold(self._peer_wait, follower, result.rest(), ticket)
        elif result.streams:
            self._has_kept = True
            self._put(follower, result, ticket)
        else:
            self._saver.passed_over()

    def _put(self, follower: Follower, result: Result, ticket: Ticket) -> None:
        generation = self._saver.label_generation
        for entries in follower.pack(result, ticket):
            entries.ticket.label_generation = generation
            self.budget.pending += entries.memory
            self._sink.put(entries)

    def _hold(self, peer_wait: PeerWait, follower: Follower, result: Result, ticket: Ticket) -> None:
        """Hand these on when the peers of their lines are known, or the time is up."""
        memory = memory_of(result)

        def release(result: Result, missing: str) -> None:
            self._reserve(follower, -memory)
            follower.named(result, missing)
            self._accounting.enter(follower.target, result, 0)
            self._target_set.touch(follower)  # what was answered is saved with it
            self._put(follower, result, ticket)

        self._reserve(follower, memory)
        peer_wait.hold(follower, result, release)

    def _reserve(self, follower: Follower, memory: int) -> None:
        follower.pending_memory += memory
        self.budget.pending += memory

    def _rest(self, follower: Follower) -> None:
        """It has nothing to read at present."""
        del self.ready[follower]
        follower.note_caught_up()
        files = follower.files
        is_gone = (
            not files.tailers and not files.links and (files.stem is not None or not is_directory(files.directory))
        )
        if is_gone and follower.is_done:
            self.waiting.discard(follower)
            self._target_set.drop(follower)
            self._saver.passed_over()
            return
        if is_gone or follower.is_waiting:
            self.waiting.add(follower)
        self.descriptors.idle(follower)

    # -- settlement

    def _settled(self, follower: Follower, memory: int, moved: bool) -> None:
        """Called by `Follower.settled`: memory is free, and perhaps a position has moved."""
        self.budget.pending -= memory
        if moved:
            self._saver.settled(follower)
        if self.paused:
            self.ready.update(dict.fromkeys(self.paused))
            self.paused.clear()
            self._pacing.wake()
