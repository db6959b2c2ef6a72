"""Follows one target's log through all its files: rotated, truncated, compressed, deleted, restarted.

The files of a target are one log, read in order, the oldest first. Which file is which is decided by the directory's
listing and the files' identities (`files`), never by events or names. Knows tickets; nothing of Loki.
"""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from shipper.entries import Entries
from shipper.model import Block, Target
from shipper.pipeline.pipeline import TargetPipeline
from shipper.pipeline.result import Result
from shipper.source.positions.file import SavedTarget, Tickets
from shipper.source.tail.files import Files
from shipper.source.tail.look_back import LookBack
from shipper.source.tail.tailer import Replaced, Tailer
from shipper.source.timing import Timing

log = logging.getLogger(__name__)

QUIET = 5.0  # seconds without growth after which a file that has a successor, or no name, is finished
PIECE_QUIET = 2.0  # the same for a dead container's last line, which is in pieces


OnSettled = Callable[["Follower", int, bool], None]
"""Told of a follower's entries that are settled: how many bytes of memory are free, whether a position has moved."""


@dataclass(slots=True)
class Portion:
    """What one step of reading came to."""

    size: int  # bytes of the file
    result: Result
    entries: list[Entries]


@dataclass(slots=True)
class Ledger:
    """One target's books: read = filtered + sent + dropped + pending."""

    read: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def pending(self) -> int:
        """Entries on their way."""
        return self.read - self.filtered.total() - self.sent - self.dropped.total()


class Follower:
    """One target, and its files in the order of their age; of a plain directory only those of its stem."""

    def __init__(
        self,
        target: Target,
        directory: str,
        stem: str | None,
        pipeline: TargetPipeline,
        saved: SavedTarget,
        look_back: LookBack,
        on_settled: OnSettled,
        timing: Timing,
    ) -> None:
        self._on_settled, self._timing = on_settled, timing
        self.target, self.directory, self.stem = target, directory, stem
        self.files = Files(directory, saved.files, look_back)
        self.tickets = Tickets(self)
        self.ledger = Ledger()
        self.pending_memory = 0  # bytes of entries that are not settled
        self.behind_since: float | None = None  # monotonic; None: all that there is, is settled
        self.is_draining = False  # nothing will be written any more: do not wait for quiet
        self._pipeline = pipeline
        self._last: Tailer | None = None  # the file that was read last

    def rename(self, target: Target, pipeline: TargetPipeline) -> None:
        """What the target is known by has been found out, before anything was read."""
        self.target, self._pipeline = target, pipeline

    def note(self, name: str, *, wrote: bool) -> None:
        """Something has happened to the file of this name: written to, or come, gone, renamed."""
        for tailer in self.files.tailers:
            if wrote and tailer.log.name == name and tailer.is_listed:
                tailer.is_dirty = True
                return
        self.files.must_list = True

    # -- reading

    async def step(self, buffer: memoryview, limit: int, now: float, wall: int) -> Portion | None:
        """Read and extract one block, of about `limit` bytes; None when there is nothing to do at present."""
        for tailer in list(self.files.tailers):
            if self._waits_for_pieces(tailer):
                assert self._last
                if not self._is_quiet(self._last, PIECE_QUIET, now):
                    return None
                return self._flush(wall)
            if tailer.is_dirty and (block := await self._read(tailer, buffer, limit, now)):
                return self._extract(tailer, block, wall)
            if self.files.must_list:  # what has become of this file is to be seen before it is given up
                return None
            if tailer.is_dirty:
                return Portion(0, Result(), [])
            if not self._is_over(tailer):
                continue
            has_tail = tailer.is_open and tailer.has_tail
            if not (tailer.log.gzipped or self._is_quiet(tailer, QUIET, now)):
                if has_tail:  # read after the next file's first pieces, it would be taken for one of them
                    return None
                continue
            if has_tail and (block := await self._read_tail(tailer, buffer)):
                return self._extract(tailer, block, wall)
            self.files.finish(tailer)
        if self._pipeline.joiner and not any(tailer.is_listed for tailer in self.files.tailers) and self._is_ended(now):
            return self._flush(wall)
        return None

    async def _read(self, tailer: Tailer, buffer: memoryview, limit: int, now: float) -> Block | None:
        try:
            if not tailer.is_open and not tailer.open(self.directory, tailer.log, now):
                raise Replaced
            return await tailer.read(buffer, limit, now)
        except Replaced:
            log.info("%s/%s was truncated or written anew: read from its beginning", self.directory, tailer.log.name)
            self.files.losses.truncated += tailer.is_open
            tailer.close()
            tailer.is_replaced, tailer.is_dirty = True, False
            self.files.must_list = True
        except OSError as error:
            self.files.fail(tailer, error)
        return None

    async def _read_tail(self, tailer: Tailer, buffer: memoryview) -> Block | None:
        try:
            return await tailer.read_tail(buffer)
        except OSError as error:
            self.files.fail(tailer, error)
            return None

    def _extract(self, tailer: Tailer, block: Block, wall: int) -> Portion:
        self._last = tailer
        return self._account(tailer, len(block.data), self._pipeline.feed(block, wall))

    def _flush(self, wall: int) -> Portion:
        """A container has ended in the middle of a line: what there is of it counts as one."""
        assert self._last
        return self._account(self._last, 0, self._pipeline.flush(wall))

    def _account(self, tailer: Tailer, size: int, result: Result) -> Portion:
        """Open the tickets for what was extracted."""
        ledger = self.ledger
        ledger.read += result.lines
        ledger.filtered.update(result.filtered)
        ledger.dropped.update(result.dropped)
        ticket = self.tickets.add(tailer, self._safe(tailer), result.kept)
        for other in self.files.tailers:  # a line that began in an older file has ended, and holds it no more
            if other is not tailer and (end := self._safe(other)) > other.promised:
                self.tickets.add(other, end, 0)
                other.promised = end
        tailer.promised = ticket.end
        entries = [Entries(labels, kept, ticket) for labels, kept in result.streams.items()]
        self.pending_memory += sum(part.memory for part in entries)
        return Portion(size, result, entries)

    def _safe(self, tailer: Tailer) -> int:
        """The offset from which a restart would have to read again."""
        held = self._pipeline.joiner.held(tailer)
        return tailer.held if held is None else min(held, tailer.held)

    # -- the end of a file

    def _waits_for_pieces(self, tailer: Tailer) -> bool:
        """Whether a line is open in a container that has ended: another one's log comes next."""
        last = self._last
        return bool(self._pipeline.joiner) and last is not None and tailer.log.stem != last.log.stem and tailer.is_dirty

    def _is_over(self, tailer: Tailer) -> bool:
        """Whether nobody should write to it any more."""
        return tailer is not self.files.tailers[-1] or not tailer.is_listed

    def _is_quiet(self, tailer: Tailer, seconds: float, now: float) -> bool:
        return self.is_draining or now - tailer.grown_at >= seconds

    def _is_ended(self, now: float) -> bool:
        return self._last is None or self._is_quiet(self._last, PIECE_QUIET, now)

    @property
    def is_waiting(self) -> bool:
        """Whether time alone will bring something to do."""
        return bool(self._pipeline.joiner) or any(
            self._is_over(tailer) and tailer.is_open for tailer in self.files.tailers
        )

    @property
    def is_done(self) -> bool:
        """Whether all files are gone and all that was read is settled."""
        return not self.files.tailers and not len(self.tickets) and not self._pipeline.joiner

    # -- settlement

    def settled(self, entries: Entries, dropped: int) -> None:
        """These entries are stored or, `dropped` of them, given up for good."""
        self.pending_memory -= entries.memory
        self.ledger.sent += len(entries) - dropped
        if dropped:
            self.ledger.dropped["refused"] += dropped
        moved = self.tickets.settle(entries.ticket, len(entries))
        self.note_caught_up()
        self._on_settled(self, entries.memory, moved)

    def note_caught_up(self) -> None:
        """See whether there is anything left to do."""
        if not len(self.tickets) and not self.files.has_work:
            self.behind_since = None

    def saved(self, streams: list[dict[str, str]]) -> SavedTarget:
        """What a restart needs."""
        return SavedTarget(self.target.fields, streams, self.files.to_save())
