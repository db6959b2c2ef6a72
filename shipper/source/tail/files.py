"""Which file is which: the files of one target, held against what its directory shows.

A name is not even a hint: the kubelet renames and compresses, tools copy and truncate, inodes are used again. Decided
by device, inode and fingerprint. Knows nothing of lines or tickets.
"""

import contextlib
import errno
import logging
from collections.abc import Sequence

from shipper.source.positions.file import SavedFile
from shipper.source.tail.fingerprint import Fingerprint
from shipper.source.tail.look_back import LookBack
from shipper.source.tail.losses import Losses
from shipper.source.tail.names import Listed, LogName
from shipper.source.tail.tailer import Tailer, handle_identity, open_log

log = logging.getLogger(__name__)


class Files:
    """The files of one target, the oldest first; those that an earlier process knew are there from the start."""

    def __init__(self, directory: str, saved: Sequence[SavedFile], look_back: LookBack) -> None:
        self.directory = directory
        self.tailers: list[Tailer] = [_remembered(file) for file in saved]
        self.must_list = True  # the directory must be listed before more is read
        self.is_linked = False  # a file stands elsewhere, where no watch sees it grow
        self.losses = Losses()
        self._look_back = look_back
        self._unreadable: frozenset[tuple[int, int]] = frozenset()  # those that were complained of

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
        if self._unreadable:
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
            handle = open_log(f"{self.directory}/{listed.log.name}", listed.log)
        except OSError as error:
            self._complain(listed, error)
            return None
        if self._unreadable:
            self._unreadable -= {listed.identity}
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
        self.losses.files += 1
        self.losses.bytes += unread
        log.error("%s/%s is gone before it was read to its end: lines lost, %s; usual after long downtime, else "
                  "raise the kubelet's containerLogMaxSize", self.directory, tailer.log.name,
                  _how_many(unread))  # fmt: skip

    def _complain(self, listed: Listed, error: OSError) -> None:
        if error.errno == errno.ENOENT:
            self.must_list = True
        elif listed.identity not in self._unreadable:
            self._unreadable |= {listed.identity}
            self.losses.read_errors[error_name(error)] += 1
            log.warning("cannot read %s/%s: %s; tried again", self.directory, listed.log.name, error.strerror or error)

    def fail(self, tailer: Tailer, error: OSError) -> None:
        """It could not be read; it will be tried again when something happens to it."""
        tailer.is_dirty = False
        tailer.close()
        if not tailer.is_listed or error.errno == errno.ENOENT:
            self.must_list = True
        if error.errno != errno.ENOENT:
            log.warning("cannot read %s/%s: %s; tried again", self.directory, tailer.log.name, error)
            self.losses.read_errors[error_name(error)] += 1

    def finish(self, tailer: Tailer) -> None:
        """Give the descriptor of a finished file back, and forget it when no name leads to it."""
        tailer.close()
        if not tailer.is_listed:
            self.tailers.remove(tailer)

    def take_losses(self) -> Losses | None:
        """What went wrong since this was last asked, to be counted by the caller; None when nothing did."""
        if not self.losses:
            return None
        losses, self.losses = self.losses, Losses()
        return losses

    @property
    def has_work(self) -> bool:
        """Whether there may be something to read now."""
        return self.must_list or any(tailer.is_dirty for tailer in self.tailers)

    @property
    def must_open(self) -> bool:
        """Whether it needs descriptors it does not hold."""
        return self.must_list or any(tailer.is_dirty and not tailer.is_open for tailer in self.tailers)

    @property
    def are_open(self) -> bool:
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

    def to_save(self) -> list[SavedFile]:
        """What a restart needs."""
        return [_to_remember(tailer) for tailer in self.tailers if tailer.is_listed]


def error_name(error: OSError) -> str:
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
