"""Follows one target's log through all its files: rotated, truncated, compressed, deleted, restarted.

The files of a target are one log, read in order, the oldest first. Which file is which is decided by the directory's
listing and the files' identities, never by events or names. Knows tickets; nothing of Loki.
"""

import contextlib
import errno
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shipper.model import Block, Entries, Target
from shipper.pipeline.assemble import Extract
from shipper.pipeline.pipeline import TargetPipeline
from shipper.source.books import LOST_BYTES, LOST_FILES, TRUNCATED
from shipper.source.identity import Fingerprint
from shipper.source.look_back import LookBack
from shipper.source.names import Listed, LogName
from shipper.source.positions import SavedFile, SavedTarget, Tickets
from shipper.source.tailer import Replaced, Tailer, handle_identity, open_log

log = logging.getLogger(__name__)

QUIET = 5.0  # seconds without growth after which a file that has a successor, or no name, is finished
PIECE_QUIET = 2.0  # the same for a dead container's last line, which is in pieces


@dataclass(slots=True)
class Portion:
    """What one step of reading came to."""

    size: int  # bytes of the file
    extract: Extract
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
        directory: Path,
        stem: str | None,
        pipeline: TargetPipeline,
        saved: SavedTarget,
        look_back: LookBack,
    ) -> None:
        self.target, self.directory, self.stem = target, directory, stem
        self.tailers: list[Tailer] = [_remembered(file) for file in saved.files]
        self.tickets = Tickets(self)
        self.ledger = Ledger()
        self.pending_memory = 0  # bytes of entries that are not settled
        self.must_list = True  # the directory must be listed before more is read
        self.behind_since: float | None = None  # monotonic; None: all that there is, is settled
        self.is_draining = False  # nothing will be written any more: do not wait for quiet
        self.troubles: Counter[str] = Counter()  # since they were last entered into the books
        self._pipeline, self._look_back = pipeline, look_back
        self._last: Tailer | None = None  # the file that was read last
        self.is_linked = False  # a file stands elsewhere, where no watch sees it grow
        self._unreadable: set[tuple[int, int]] = set()

    def rename(self, target: Target, pipeline: TargetPipeline) -> None:
        """What the target is known by has been found out, before anything was read."""
        self.target, self._pipeline = target, pipeline

    # -- which files there are

    def reconcile(self, listing: Sequence[Listed], now: float) -> None:
        """Hold the files against what the directory shows."""
        self.must_list = False
        for one in self.tailers:  # a copy of one that had to wait unread would not be known for a copy
            with contextlib.suppress(OSError):
                one.recognise()
        known = {tailer.identity: tailer for tailer in self.tailers if not tailer.is_replaced}
        # All that are still there first: an inode that is used again frees its tailer for the file's compressed copy.
        still = {
            listed.identity: tailer
            for listed in listing
            if (tailer := known.get(listed.identity)) is not None and self._is_still(tailer, listed, now)
        }
        strays = [tailer for tailer in self.tailers if tailer not in still.values()]
        listed_tailers: list[Tailer] = []
        for listed in listing:
            tailer = still.get(listed.identity) or self._discover(listed, strays, listed_tailers, now)
            if tailer is not None and tailer not in listed_tailers:  # a file may have two names
                tailer.see(listed)
                still[listed.identity] = tailer
                listed_tailers.append(tailer)
        gone = [tailer for tailer in strays if tailer not in listed_tailers]
        for tailer in gone:
            tailer.is_listed = False
            tailer.is_dirty = tailer.is_open  # no listing will tell that it has grown
            if not tailer.is_open:
                self._forget(tailer, listing)
        self.tailers = [tailer for tailer in gone if tailer.is_open] + listed_tailers
        self._unreadable &= {listed.identity for listed in listing}
        self.is_linked = any(listed.is_link for listed in listing)

    def _is_still(self, tailer: Tailer, listed: Listed, now: float) -> bool:
        """Whether this inode still holds the tailer's file; an open descriptor keeps it from being used again."""
        if tailer.is_open or tailer.looks_like(listed):
            return True
        try:
            return tailer.open(self.directory, listed.log, now)
        except OSError as error:
            self._complain(listed, error)
            return True

    def _discover(self, listed: Listed, strays: list[Tailer], others: Sequence[Tailer], now: float) -> Tailer | None:
        """The tailer for a file that is new here; None when it cannot be read, or is a copy of another."""
        try:
            handle = open_log(self.directory / listed.log.name, listed.log)
        except OSError as error:
            self._complain(listed, error)
            return None
        self._unreadable.discard(listed.identity)
        head = handle.head()
        if handle_identity(handle) != listed.identity:
            self.must_list = True  # renamed in between
            handle.close()
            return None
        for stray in strays:
            if _same_content(stray, listed, head) and (listed.log.gzipped or listed.size >= stray.read_offset):
                strays.remove(stray)
                stray.adopt(listed, handle, now)
                return stray
        is_copy = any(_same_content(other, listed, head) for other in [*others, *self.tailers] if other not in strays)
        if listed.log.rotated and (is_copy or not head):  # or will it be one? its first bytes will tell
            handle.close()
            return None
        tailer = Tailer(listed, self._look_back.start(listed, handle))
        tailer.adopt(listed, handle, now)
        return tailer

    def _forget(self, tailer: Tailer, listing: Sequence[Listed]) -> None:
        """A closed file that no name leads to any more, and no other file holds its content."""
        is_followed = any(listed.log.stem == tailer.log.stem for listed in listing)
        unread = max(0, tailer.known_size - tailer.read_offset)
        if not unread and not (tailer.was_written_unseen and is_followed):
            return
        self.troubles.update({LOST_FILES: 1, LOST_BYTES: unread})
        log.error("%s/%s is gone before it was read to its end: lines lost, %s; usual after long downtime, else "
                  "raise the kubelet's containerLogMaxSize", self.directory, tailer.log.name,
                  _how_many(unread))  # fmt: skip

    def _complain(self, listed: Listed, error: OSError) -> None:
        if error.errno == errno.ENOENT:
            self.must_list = True
        elif listed.identity not in self._unreadable:
            self._unreadable.add(listed.identity)
            self.troubles[_name(error)] += 1
            log.warning("cannot read %s/%s: %s; tried again", self.directory, listed.log.name, error.strerror or error)

    def note(self, name: str, *, wrote: bool) -> None:
        """Something has happened to the file of this name: written to, or come, gone, renamed."""
        for tailer in self.tailers:
            if wrote and tailer.log.name == name and tailer.is_listed:
                tailer.is_dirty = True
                return
        self.must_list = True

    # -- reading

    async def step(self, buffer: memoryview, limit: int, now: float, wall: int) -> Portion | None:
        """Read and extract one block, of about `limit` bytes; None when there is nothing to do at present."""
        for tailer in list(self.tailers):
            if self._waits_for_pieces(tailer):
                assert self._last
                if not self._is_quiet(self._last, PIECE_QUIET, now):
                    return None
                return self._flush(wall)
            if tailer.is_dirty and (block := await self._read(tailer, buffer, limit, now)):
                return self._extract(tailer, block, wall)
            if self.must_list:  # what has become of this file is to be seen before it is given up
                return None
            if tailer.is_dirty:
                return Portion(0, Extract(), [])
            if self._is_over(tailer) and self._is_quiet(tailer, QUIET, now):
                if tailer.is_open and tailer.has_tail and (block := await self._read_tail(tailer, buffer)):
                    return self._extract(tailer, block, wall)
                self._finish(tailer)
        if self._pipeline.joiner and not any(tailer.is_listed for tailer in self.tailers) and self._is_ended(now):
            return self._flush(wall)
        return None

    async def _read(self, tailer: Tailer, buffer: memoryview, limit: int, now: float) -> Block | None:
        try:
            if not tailer.is_open and not tailer.open(self.directory, tailer.log, now):
                raise Replaced
            return await tailer.read(buffer, limit, now)
        except Replaced:
            log.info("%s/%s was truncated or written anew: read from its beginning", self.directory, tailer.log.name)
            self.troubles[TRUNCATED] += tailer.is_open
            tailer.close()
            tailer.is_replaced, tailer.is_dirty = True, False
            self.must_list = True
        except OSError as error:
            tailer.is_dirty = False
            self._fail(tailer, error)
        return None

    async def _read_tail(self, tailer: Tailer, buffer: memoryview) -> Block | None:
        try:
            return await tailer.read_tail(buffer)
        except OSError as error:
            self._fail(tailer, error)
            return None

    def _fail(self, tailer: Tailer, error: OSError) -> None:
        tailer.close()
        if not tailer.is_listed or error.errno == errno.ENOENT:
            self.must_list = True
        if error.errno != errno.ENOENT:
            log.warning("cannot read %s/%s: %s; tried again", self.directory, tailer.log.name, error)
            self.troubles[_name(error)] += 1

    def _extract(self, tailer: Tailer, block: Block, wall: int) -> Portion:
        self._last = tailer
        return self._account(tailer, len(block.data), self._pipeline.feed(block, wall))

    def _flush(self, wall: int) -> Portion:
        """A container has ended in the middle of a line: what there is of it counts as one."""
        assert self._last
        return self._account(self._last, 0, self._pipeline.flush(wall))

    def _account(self, tailer: Tailer, size: int, extract: Extract) -> Portion:
        """Open the tickets for what was extracted."""
        ledger = self.ledger
        ledger.read += extract.lines
        ledger.filtered.update(extract.filtered)
        ledger.dropped.update(extract.dropped)
        ticket = self.tickets.add(tailer, self._safe(tailer), extract.kept)
        for other in self.tailers:  # a line that began in an older file has ended, and holds it no more
            if other is not tailer and (end := self._safe(other)) > other.promised:
                self.tickets.add(other, end, 0)
                other.promised = end
        tailer.promised = ticket.end
        entries = [Entries(labels, kept, ticket) for labels, kept in extract.streams.items()]
        self.pending_memory += sum(part.memory for part in entries)
        return Portion(size, extract, entries)

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
        return tailer is not self.tailers[-1] or not tailer.is_listed

    def _is_quiet(self, tailer: Tailer, seconds: float, now: float) -> bool:
        return self.is_draining or now - tailer.grown_at >= seconds

    def _is_ended(self, now: float) -> bool:
        return self._last is None or self._is_quiet(self._last, PIECE_QUIET, now)

    def _finish(self, tailer: Tailer) -> None:
        """Give the descriptor of a finished file back, and forget it when no name leads to it."""
        tailer.close()
        if not tailer.is_listed:
            self.tailers.remove(tailer)

    @property
    def is_waiting(self) -> bool:
        """Whether time alone will bring something to do."""
        return bool(self._pipeline.joiner) or any(self._is_over(tailer) and tailer.is_open for tailer in self.tailers)

    @property
    def is_done(self) -> bool:
        """Whether all files are gone and all that was read is settled."""
        return not self.tailers and not len(self.tickets) and not self._pipeline.joiner

    @property
    def has_work(self) -> bool:
        """Whether there may be something to read now."""
        return self.must_list or any(tailer.is_dirty for tailer in self.tailers)

    @property
    def must_open(self) -> bool:
        """Whether it needs descriptors it does not hold."""
        return self.must_list or any(tailer.is_dirty and not tailer.is_open for tailer in self.tailers)

    @property
    def has_open_files(self) -> bool:
        """Whether it holds descriptors."""
        return any(tailer.is_open for tailer in self.tailers)

    def release_idle(self) -> int:
        """Close what is read to its end, to make room for others; how many files that were."""
        idle = [one for one in self.tailers if one.is_open and one.is_listed and not one.is_dirty and not one.has_tail]
        for tailer in idle:
            tailer.close()
        return len(idle)

    def close(self) -> None:
        """Give all descriptors back."""
        for tailer in self.tailers:
            tailer.close()

    # -- settlement

    def settle(self, part: Entries, dropped: int) -> bool:
        """These entries need no more care; whether a position has moved."""
        self.pending_memory -= part.memory
        self.ledger.sent += len(part.entries) - dropped
        if dropped:
            self.ledger.dropped["refused"] += dropped
        moved = self.tickets.settle(part.ticket, len(part.entries))
        self.note_caught_up()
        return moved

    def note_caught_up(self) -> None:
        """See whether there is anything left to do."""
        if not len(self.tickets) and not self.has_work:
            self.behind_since = None

    def saved(self, streams: list[dict[str, str]]) -> SavedTarget:
        """What a restart needs."""
        files = [_to_remember(tailer) for tailer in self.tailers if tailer.is_listed]
        return SavedTarget(self.target.fields, streams, files)


def _name(error: OSError) -> str:
    """`EACCES`; for errors that the system has no number for, `other`."""
    return errno.errorcode.get(error.errno or 0, "other")


def _how_many(unread: int) -> str:
    return f"at least {unread} bytes" if unread else "how many nobody knows"


def _same_content(tailer: Tailer, listed: Listed, head: bytes) -> bool:
    """Whether this file holds what the tailer's did, compressed or copied."""
    return tailer.log.stem == listed.log.stem and tailer.fingerprint.is_telling and tailer.fingerprint.matches(head)


def _remembered(saved: SavedFile) -> Tailer:
    """A file as the positions tell of it; the directory will show what has become of it."""
    name = LogName.parse(saved.name) or LogName(saved.name, saved.name, "", gzipped=False)
    listed = Listed(name, saved.device, saved.inode, -1, -1)
    tailer = Tailer(listed, saved.offset, Fingerprint(saved.head, saved.digest))
    tailer.size = saved.size
    return tailer


def _to_remember(tailer: Tailer) -> SavedFile:
    head = tailer.fingerprint
    size = tailer.known_size
    return SavedFile(tailer.log.name, tailer.device, tailer.inode, head.size, head.digest, tailer.committed, size)
