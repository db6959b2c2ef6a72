"""One loop over all files: fair turns, one buffer.

A file is looked at when something has happened to it, not on a tick. Whoever has something to read gets a turn of a few
milliseconds, one block at least; how much may be read ahead of Loki's answers is a share of what is left of the budget,
so that a file whose stream is refused stops alone.
"""

import asyncio
import logging
import mmap
import resource
import time
from collections.abc import Callable
from typing import Final, Protocol

from shipper.config import LimitsConfig
from shipper.entries import Entries
from shipper.pipeline.labels import Admission
from shipper.pipeline.result import Result
from shipper.source.accounting import Accounting
from shipper.source.discovery.targets import is_directory
from shipper.source.follower import Follower, Next, OnSettled, Step
from shipper.source.pacing import Pacing
from shipper.source.positions.saver import Saver
from shipper.source.positions.snapshot import Snapshot
from shipper.source.tail import handles
from shipper.source.target_set import OnChange, TargetSet

log = logging.getLogger(__name__)

BLOCK_BYTES: Final = 1 << 20  # of one read
TURN: Final = 0.002  # seconds of one log's turn: it ends with the first block that is ready after them
LEAST_BYTES: Final = 1 << 16  # less is not worth a turn
SHARE: Final = 7  # of 7 parts that are free each takes one: the first an eighth of all, and something always is left
RESCAN: Final = 30.0  # seconds between looks at everything, the net below inotify
BREATH: Final = 0.001  # seconds of turns in a row, after which the rest of the process lives too
TICK: Final = 1.0  # seconds between looks at what waits for time to pass, or has no watch
SPARE_FILES: Final = 64  # descriptors for everything that is no log


class Sink(Protocol):
    """Where entries go."""

    def put(self, entries: Entries) -> None:
        """Take these, without waiting; their ticket's owner is told when they are settled, which may be at once."""

    def push_fullest(self) -> None:
        """Nothing more can be read before something is settled."""

    def backlog(self, more: bool) -> None:
        """There is, or is not, more to read at once."""


class Reader:
    """Everything that is read."""

    def __init__(
        self,
        target_set: Callable[[OnChange, OnSettled], TargetSet],
        sink: Sink,
        saver: Saver,
        snapshot: Snapshot,
        admission: Admission,
        limits: LimitsConfig,
        accounting: Accounting,
    ) -> None:
        """`target_set` makes the set of what is read, given who is told of changes and of settled entries."""
        self._target_set = target_set(self._is_ready_now, self._settled)
        self._sink, self._saver = sink, saver
        self._snapshot, self._admission = snapshot, admission
        self._limits, self._accounting = limits, accounting
        self._ready: dict[Follower, None] = {}
        self._waiting: set[Follower] = set()  # for time to pass
        self.paused: set[Follower] = set()  # for Loki's answers
        self._idle: dict[Follower, None] = {}  # hold files open and have nothing to read, the longest first
        size = max(BLOCK_BYTES, limits.max_line_size) + LEAST_BYTES
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._buffer = memoryview(pages)  # takes memory as it is used, and short turns use little
        self.pending_memory = 0
        self.pacing = Pacing(self._target_set.watcher, self._target_set.writes)
        self._is_busy = False  # something was written since it slept,
        self._has_kept = False  # and something was kept
        self._stopping = False

    # -- life

    @property
    def followers(self) -> dict[str, Follower]:
        """All logs that are followed, by key."""
        return self._target_set.followers

    @property
    def is_ready(self) -> bool:
        """Whether the first scan is done."""
        return self._target_set.is_scanned

    async def run(self, *, once: bool = False) -> None:
        """Read until stopped; with `once` until everything there is has been read."""
        try:
            await self._run(once)
        finally:
            self.pacing.close()
            self._target_set.close()

    def ask_again(self) -> None:
        """More is known of the targets than there was."""
        if unnamed := self._target_set.unnamed:
            self._ready.update(dict.fromkeys(unnamed))
            self.pacing.rouse()

    def _is_ready_now(self, follower: Follower) -> None:
        self._ready[follower] = None

    def stop(self) -> None:
        """Read no more."""
        self._stopping = True
        self.pacing.rouse()

    async def _run(self, once: bool) -> None:
        next_scan = next_tick = 0.0
        while not self._stopping:
            now = time.monotonic()
            if now >= next_scan:
                self._target_set.scan(required=once)
                next_scan = now + RESCAN
            if now >= next_tick:
                self._tick()
                next_tick = now + TICK
            self.pacing.clear()
            self._is_busy, self._has_kept = self._target_set.note_changes(), False
            await self._turns(once)
            if once and not self._ready and not self.paused and not self._is_awaited:
                self._sink.backlog(False)
                return
            if not self._stopping and not self._ready:
                if self._is_full:  # so there is more to read
                    self._sink.push_fullest()
                else:
                    self._sink.backlog(False)
                until = next_tick if self._waiting or self._target_set.has_unwatched else next_scan
                await self.pacing.sleep(until, is_busy=self._is_busy, has_kept=self._has_kept)

    @property
    def _is_full(self) -> bool:
        """Whether nobody may read before something is settled; one that has had its share waits alone."""
        return bool(self.paused) and self._limits.max_in_flight_bytes - self.pending_memory < (SHARE + 1) * LEAST_BYTES

    @property
    def _is_awaited(self) -> bool:
        """Whether time will bring something to read, though nothing more is written."""
        return bool(self._target_set.unnamed) or any(one.files.must_list for one in self._waiting)

    # -- turns

    def _tick(self) -> None:
        self._target_set.scan_unwatched()
        for follower in self._waiting:
            if follower.files.is_linked:
                follower.files.expire_listing()
            self._ready[follower] = None
        self._waiting.clear()

    async def _turns(self, once: bool) -> None:
        """A turn for each that has something to read, until none has."""
        breathed = time.monotonic()
        while self._ready and not self._stopping:
            for follower in list(self._ready):
                if self._stopping:
                    return
                if once:
                    follower.drain()
                await self._turn(follower)
                if losses := follower.files.take_losses():
                    self._accounting.enter_losses(losses)
                if self._ready and time.monotonic() - breathed >= BREATH:
                    await asyncio.sleep(0)
                    breathed = time.monotonic()
            if self._ready:
                self._sink.backlog(True)
                self._is_busy |= self._target_set.note_changes()

    async def _turn(self, follower: Follower) -> None:
        now = time.monotonic()
        if follower.behind_since is None:
            follower.behind_since = now
        self._idle.pop(follower, None)
        if follower.files.must_open and not self._has_room_to_open(follower):
            follower.files.expire_listing()
            del self._ready[follower]
            self._waiting.add(follower)
            return
        if follower.files.must_list:
            self._list(follower, now)
            self._target_set.touch(follower)
        if follower in self._target_set.unnamed and not self._target_set.name(follower):  # its files are held meanwhile
            self._ready.pop(follower, None)
            self._waiting.add(follower)
            return
        await self._read(follower, now)

    async def _read(self, follower: Follower, now: float) -> None:
        """Blocks of one log, until its turn is over."""
        wall = time.time_ns()
        while (room := self._room(follower)) >= LEAST_BYTES:
            step = await follower.step(self._buffer, min(room, BLOCK_BYTES), now, wall)
            self._target_set.touch(follower)  # after it: while it waited for the disk, a save may have been made
            if step.result is not None:
                self._take(follower, step, step.result)
            if step.next is Next.REST:
                self._rest(follower)
                return
            if step.next is Next.LIST or self._stopping or time.monotonic() - now > TURN:
                return
        self.paused.add(follower)
        del self._ready[follower]

    def _rest(self, follower: Follower) -> None:
        """Nothing to read at present."""
        del self._ready[follower]
        follower.note_caught_up()
        is_gone = not follower.files.tailers and (
            follower.files.stem is not None or not is_directory(follower.files.directory)
        )
        if is_gone and follower.is_done:
            self._waiting.discard(follower)
            self._idle.pop(follower, None)
            self._target_set.drop(follower)
            self._saver.moved(acked=False)
            return
        if is_gone or follower.is_waiting or follower.files.is_linked:
            self._waiting.add(follower)
        if follower.files.are_open:
            self._idle[follower] = None
            if handles.open_count() > self._limits.open_files:
                self._close_idle(self._limits.open_files)

    def _list(self, follower: Follower, now: float) -> None:
        try:
            if not follower.files.refresh(now):
                self._wake_later(follower)
        except OSError as error:
            self._accounting.notices.unreadable_directory(follower.files.directory, error)
            self._waiting.add(follower)

    def _wake_later(self, follower: Follower) -> None:
        def again() -> None:
            if follower in self.followers.values():
                follower.files.expire_listing()
                self._ready[follower] = None
                self.pacing.rouse()

        asyncio.get_running_loop().call_later(0.05, again)

    def _take(self, follower: Follower, step: Step, result: Result) -> None:
        self._accounting.enter(follower.target, result, step.size)
        if self._admission.changed:
            self._admission.changed = False
            self._snapshot.label_generation += 1
        for entries in step.entries:
            entries.ticket.label_generation = self._snapshot.label_generation
            self.pending_memory += entries.memory
            self._sink.put(entries)
        self._has_kept |= bool(step.entries)
        if not step.entries:
            self._saver.moved(acked=False)

    def _room(self, follower: Follower) -> int:
        """Bytes this one may read now."""
        free = self._limits.max_in_flight_bytes - self.pending_memory
        room = free // SHARE - follower.pending_memory
        return max(room, LEAST_BYTES) if free > 0 and not follower.pending_memory else room

    def _has_room_to_open(self, follower: Follower) -> bool:
        """Whether the process may have one more file; idle ones are closed for it."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        possible = soft - min(SPARE_FILES, soft // 2)
        if handles.open_count() >= possible:
            self._close_idle(possible - 1)
        return handles.open_count() < possible or follower.files.are_open

    def _close_idle(self, most: int) -> None:
        """Close files that have nothing to read, down to so many open ones; they are opened again when they grow."""
        while self._idle and handles.open_count() > most:
            other = next(iter(self._idle))
            del self._idle[other]
            other.files.release_idle()

    @property
    def streams(self) -> int:
        """Streams that are admitted."""
        return len(self._admission)

    # -- settlement

    def _settled(self, follower: Follower, memory: int, moved: bool) -> None:
        self.pending_memory -= memory
        if moved:
            self._target_set.touch(follower)
            self._saver.moved(acked=True)
        if self.paused:
            self._ready.update(dict.fromkeys(self.paused))
            self.paused.clear()
            self.pacing.rouse()
