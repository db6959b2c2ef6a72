"""One target's files as one log, and its tickets.

The files are read in order, the oldest first; which of them is which, `files` decides. Knows nothing of Loki.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from shipper.entries import Entries, Ticket
from shipper.model import Block, Target
from shipper.pipeline.answers import SavedAnswer
from shipper.pipeline.pipeline import TargetPipeline
from shipper.pipeline.result import Result
from shipper.source.accounting import Ledger
from shipper.source.positions.file import SavedTarget
from shipper.source.positions.tickets import Tickets
from shipper.source.tail.files import Files
from shipper.source.tail.tailer import Tailer
from shipper.source.timing import Timing
from shipper.times import SECOND

OnSettled = Callable[["Follower", int, bool], None]
"""Told of a follower's entries that are settled: how many bytes of memory are free, whether a position has moved."""


class Next(Enum):
    """How to go on after a step."""

    READ = "with another step: there may be more to read"
    LIST = "with a listing of the directory"
    REST = "not at all, until something happens or time passes"


class Step(NamedTuple):
    """What one step of reading came to."""

    next: Next
    result: Result | None = None  # None: nothing was extracted
    size: int = 0  # bytes of the file that were read for it
    ticket: Ticket | None = None  # of its kept lines, also of those whose peer is not known yet


READ, LIST, REST = map(Step, Next)  # nothing was extracted


class Follower:
    """Reads the files of one target, in the order of their age."""

    def __init__(
        self, target: Target, files: Files, pipeline: TargetPipeline, on_settled: OnSettled, timing: Timing
    ) -> None:
        self.target, self.files = target, files
        self._on_settled, self._timing = on_settled, timing
        self.tickets = Tickets(self)
        self.ledger = Ledger()
        self.pending_memory = 0  # bytes of entries that are not settled
        self.is_quiet = False  # nothing was written for so long that its container is taken for ended
        self.behind_since: float | None = None  # monotonic; None: all that there is, is settled
        self._pipeline = pipeline
        self._last: Tailer | None = None  # the file that was read last
        self._has_gap = False  # a file was given up: no partial line goes on after it

    def rename(self, target: Target, pipeline: TargetPipeline) -> None:
        """The target's fields and labels are known now; nothing was read before."""
        self.target, self._pipeline = target, pipeline

    def drain(self) -> None:
        """Nothing will be written any more: do not wait for files to become quiet."""
        self._timing = replace(self._timing, quiet=0.0, partial_quiet=0.0, cut_quiet=0.0)

    # -- reading

    async def step(self, buffer: memoryview, limit: int, now: float, wall: int) -> Step:
        """Read and extract one block of about `limit` bytes, of the oldest file that has one.

        `now` is monotonic seconds; `wall` are nanoseconds since 1970, for lines without a time.
        """
        if self._has_gap:
            self._has_gap = False
            self._pipeline.joiner.cut.clear()
            if self._pipeline.joiner:
                return self._flush(wall)
        for tailer in list(self.files.tailers):
            if self._begins_after_partial_line(tailer):
                return self._flush(wall) if self._has_ended(now) else self._rest()
            if tailer.may_have_more and (block := await self.files.read(tailer, buffer, limit, now)):
                return self._extract(tailer, block, wall)
            if self.files.must_list:  # to see what has become of this file before it is given up
                return LIST
            if tailer.may_have_more:
                return READ
            if self._is_over(tailer) and (step := await self._finish(tailer, buffer, now, wall)):
                return step
        if not self._pipeline.joiner:
            return self._rest()
        is_gone = not any(tailer.is_listed for tailer in self.files.tailers)
        if is_gone and self._has_ended(now):
            return self._flush(wall)
        return self._cut_off(wall) if self._seems_ended(now) else self._rest()

    async def _finish(self, tailer: Tailer, buffer: memoryview, now: float, wall: int) -> Step | None:
        """Give up a file that is over, once it is quiet; None: go on with the next one."""
        is_quiet = tailer.name.gzipped or now - tailer.grown_at >= self._timing.quiet
        if tailer.is_open and tailer.has_unfinished_line:
            if not is_quiet:  # read it before the next file, or it would be joined to that one's partial lines
                return self._rest()
            if block := await self.files.read_unfinished_line(tailer, buffer):
                return self._extract(tailer, block, wall)
        if is_quiet:
            self.files.finish(tailer)
        return None

    def _rest(self) -> Step:
        return LIST if self.files.must_list else REST

    def _extract(self, tailer: Tailer, block: Block, wall: int) -> Step:
        if self._last is not None and tailer.name.stem != self._last.name.stem:
            self._pipeline.joiner.cut.clear()  # another container's log holds no rest of these lines
        self._last = tailer
        if self.is_quiet and tailer.has_grown_since_listed:
            self.is_quiet = False
        if not len(self.tickets) and not self._pipeline.joiner:
            self._pipeline.nothing_unsettled()
        return self._account(tailer, len(block.data), self._pipeline.feed(block, wall))

    def _flush(self, wall: int) -> Step:
        """A container has ended within a line: its partial line counts as it is."""
        assert self._last
        return self._account(self._last, 0, self._pipeline.flush(wall))

    def _cut_off(self, wall: int) -> Step:
        """A container seems to have ended within a line: what is there of it counts, and the rest may come."""
        assert self._last
        return self._account(self._last, 0, self._pipeline.flush(wall, rest_may_come=True))

    def _account(self, tailer: Tailer, size: int, result: Result) -> Step:
        """Open the tickets for what was extracted."""
        self.ledger.enter(result)
        ticket = self.tickets.add(tailer, self._commit_limit(tailer), result.kept + len(result.unanswered))
        for other in self.files.tailers:  # a line that began in an older file is complete: that file can be committed
            if other is not tailer and (end := self._commit_limit(other)) > other.ticketed:
                self.tickets.add(other, end, 0)
                other.ticketed = end
        tailer.ticketed = ticket.end
        return Step(self._next(), result, size, ticket)

    def _next(self) -> Next:
        if self.files.must_list:
            return Next.LIST
        # A partial line may count as it is: the step after this one decides.
        return Next.READ if self.files.has_work or self._pipeline.joiner else Next.REST

    def _commit_limit(self, tailer: Tailer) -> int:
        """The offset from which a restart would have to read again."""
        limit = self._pipeline.joiner.commit_limit(tailer)
        return tailer.commit_limit if limit is None else min(limit, tailer.commit_limit)

    # -- the end of a file

    def give_up(self, tailer: Tailer) -> None:
        """Let a deleted file go, read or not: it takes too much of the disk."""
        self._has_gap |= self.files.give_up(tailer)

    def _begins_after_partial_line(self, tailer: Tailer) -> bool:
        """Whether an older container's log has a partial line when this one has something to read."""
        last = self._last
        return (
            bool(self._pipeline.joiner)
            and last is not None
            and tailer.name.stem != last.name.stem
            and tailer.may_have_more
        )

    def _is_over(self, tailer: Tailer) -> bool:
        """Whether nobody should write to it any more."""
        return tailer is not self.files.tailers[-1] or not tailer.is_listed

    def _has_ended(self, now: float) -> bool:
        """Whether no more of a partial line will come from the file that was read last."""
        return self._last is None or now - self._last.grown_at >= self._timing.partial_quiet

    def _seems_ended(self, now: float) -> bool:
        """Whether a partial line at the end of the newest log has waited so long that no rest is expected."""
        is_in_line = self._pipeline.joiner.lacks_rest
        wait = self._timing.cut_quiet_in_line if is_in_line else self._timing.cut_quiet
        return self._last is None or now - self._last.grown_at >= wait

    def note_quiet(self, wall: int) -> bool:
        """See whether nothing was written for long, by the last listing; whether a restart needs to know more now."""
        was_quiet = self.is_quiet
        self.is_quiet = wall - self.files.modified >= self._timing.ended_quiet * SECOND
        return self.is_quiet != was_quiet

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

    def named(self, result: Result, missing: str) -> None:
        """Finish the lines whose peers were asked for; `missing`: why those that are not known are not."""
        self._pipeline.named(result, missing)

    # -- settlement

    def pack(self, result: Result, ticket: Ticket) -> list[Entries]:
        """The kept lines as entries on their way."""
        entries = [Entries(labels, kept, ticket) for labels, kept in result.streams.items()]
        self.pending_memory += sum([part.memory for part in entries])
        return entries

    def settled(self, entries: Entries, dropped: int) -> None:
        """These entries are stored or, `dropped` of them, given up for good."""
        self.pending_memory -= entries.memory
        self.ledger.settle(len(entries), dropped)
        moved = self.tickets.settle(entries.ticket, len(entries))
        self.note_caught_up()
        self._on_settled(self, entries.memory, moved)

    def note_caught_up(self) -> None:
        """See whether there is anything left to do."""
        if not len(self.tickets) and not self.files.has_work:
            self.behind_since = None

    def saved(self, streams: list[dict[str, str]], answers: dict[str, list[SavedAnswer]] | None = None) -> SavedTarget:
        """What a restart needs; `streams` and `answers` are what was admitted for it and asked about its lines."""
        files, since = self.files, self.files.start_policy.since
        return SavedTarget(self.target.fields, streams, files.to_save(), self.is_quiet, since, answers or {})
