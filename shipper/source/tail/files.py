"""Which file is which: the files of one target, held against what its directory shows.

A name tells nothing: the kubelet renames and compresses, tools copy and truncate, inodes are used again. Decided by
device, inode and fingerprint. Knows nothing of lines or tickets.
"""

import contextlib
import errno
import logging
from collections.abc import Mapping, Sequence

from shipper.model import Block
from shipper.source.tail.handles import Handle, OpenLog, open_log
from shipper.source.tail.listing import Listing
from shipper.source.tail.look_back import StartPolicy
from shipper.source.tail.losses import Losses
from shipper.source.tail.names import ListedFile, LogName
from shipper.source.tail.packed import PassedOver, is_packed
from shipper.source.tail.saved import SavedFile
from shipper.source.tail.state import State
from shipper.source.tail.tailer import Replaced, Tailer

log = logging.getLogger(__name__)


class Files:
    """The files of one target, the oldest first; those that an earlier process knew are there from the start.

    Of a plain directory only those of one `stem`. Its own state is one bit beside those of its files: whether the last
    listing still holds. `expire_listing` ends that, and so does a file that is not where it was; `refresh` lists anew.
    """

    def __init__(
        self,
        directory: str,
        stem: str | None,
        saved: Sequence[SavedFile],
        start_policy: StartPolicy,
        open_log: OpenLog = open_log,
        *,
        listing: Listing | None = None,
        ended: bool = False,
    ) -> None:
        """`listing`: of the directory, where others follow files in it, too.

        `ended`: the container of the newest of the `saved` files had ended, as far as anyone could see.
        """
        self.directory, self.stem = directory, stem
        self._listing = listing or Listing(directory)
        self.tailers: list[Tailer] = [Tailer.restored(file) for file in saved]
        self._unended = self.tailers[-1] if self.tailers and not ended else None  # may have grown unseen
        self.must_list = True  # the directory must be listed before more is read
        self._listing.expire()  # it may be older than this log
        self.links: Mapping[str, tuple[int, int] | None] = {}  # names of files that stand elsewhere; None: not there
        self._losses = Losses()
        self.start_policy, self._open_log = start_policy, open_log
        self._is_known = bool(saved)  # it has, or had, a file that could be read: what is found now is new
        self._unreadable: frozenset[tuple[int, int]] = frozenset()  # identities that were reported
        self._passed_over: frozenset[tuple[int, int]] = frozenset()  # copies, at the last listing
        self._packed = PassedOver(directory)

    # -- what happens to the directory

    def wrote(self, name: str) -> None:
        """The file of this name was written to."""
        for tailer in self.tailers:
            if tailer.is_listed and tailer.name.text == name and tailer.state is not State.REPLACED:
                tailer.grew()
                return
        self.expire_listing()

    def expire_listing(self) -> None:
        """Something may have come, gone, or been renamed."""
        self.must_list = True
        self._listing.expire()

    def refresh(self, now: float) -> bool:
        """List the directory; False when it changed meanwhile: list it again, but not at once. Raises OSError."""
        self.must_list = False
        shown = self._listing.shown(self.stem, now)
        self.links = shown.links
        self._reconcile(shown.files, now)
        for name in shown.packed:
            self._packed.add(name, name)
        self._packed.keep([*shown.packed, *(listed.identity for listed in shown.files)])
        is_stable, self.must_list = not self.must_list, False
        return is_stable

    # -- which file is which

    def _reconcile(self, listing: Sequence[ListedFile], now: float) -> None:
        for tailer in self.tailers:  # else a copy of one that had to wait unread would not be recognised
            with contextlib.suppress(OSError):
                tailer.recognise()
        # All that are still there first: an inode that is used again frees its tailer for the file's compressed copy.
        found = self._still_there(listing, now)
        missing = [tailer for tailer in self.tailers if tailer not in found.values()]
        present: list[Tailer] = []
        passed_over = set()
        for listed in listing:
            one = found.get(listed.identity) or self._discover(listed, missing, present, now)
            if one is not None and one not in present:  # a file may have two names
                one.listed(listed)
                found[listed.identity] = one
                present.append(one)
            elif one is None and listed.identity not in self._unreadable:
                passed_over.add(listed.identity)
        self._passed_over = frozenset(passed_over)
        if self._unreadable:
            self._unreadable &= {listed.identity for listed in listing}
        kept = [tailer for tailer in missing if self._is_kept(tailer, listing)]
        self.tailers = kept + present
        self._is_known |= bool(present)
        for tailer in missing:
            if tailer.is_open:
                tailer.unlisted()
            elif tailer not in kept:
                self._forget(tailer, listing)
            elif tailer.state is not State.REPLACED:
                tailer.replaced()

    def _still_there(self, listing: Sequence[ListedFile], now: float) -> dict[tuple[int, int], Tailer]:
        known = {tailer.identity: tailer for tailer in self.tailers if tailer.state is not State.REPLACED}
        return {
            listed.identity: tailer
            for listed in listing
            if (tailer := known.get(listed.identity)) is not None and self._is_same(tailer, listed, now)
        }

    def _is_same(self, tailer: Tailer, listed: ListedFile, now: float) -> bool:
        """Whether this inode still holds the tailer's file; an open descriptor keeps it from being used again."""
        if tailer.is_open or tailer.is_unchanged(listed):
            return True
        try:
            return tailer.opened(self._open(listed.name), now)
        except OSError as error:
            self._cannot_open(listed, error)
            return True

    def _discover(
        self, listed: ListedFile, missing: list[Tailer], present: Sequence[Tailer], now: float
    ) -> Tailer | None:
        """The tailer of a file whose identity is not known; None when it cannot be read, or is a copy of another.

        When it holds what a missing file did, that one's tailer is taken off the list.
        """
        if listed.identity in self._packed:
            return None
        try:
            handle = self._open(listed.name)
        except OSError as error:
            self._cannot_open(listed, error)
            return None
        if self._unreadable:
            self._unreadable -= {listed.identity}
        if handle.identity != listed.identity:  # renamed since it was listed
            self.expire_listing()
            handle.close()
            return None
        tailer = self._tailer_of(listed, handle, missing, present, now)
        if tailer is None:
            handle.close()
        return tailer

    def _tailer_of(
        self, listed: ListedFile, handle: Handle, missing: list[Tailer], present: Sequence[Tailer], now: float
    ) -> Tailer | None:
        head = handle.head()
        if listed.name.rotated and not listed.name.gzipped and is_packed(head):
            self._packed.add(listed.identity, listed.name.text)
            return None
        for tailer in missing:
            if _same_content(tailer, listed, head) and (listed.name.gzipped or listed.size >= tailer.read_offset):
                missing.remove(tailer)
                tailer.moved(listed, handle, now)
                return tailer
        is_copy = any(_same_content(one, listed, head) for one in [*present, *self.tailers] if one not in missing)
        if listed.name.rotated and (is_copy or not head):  # an empty one may become a copy: its first bytes will tell
            return None
        tailer = Tailer(listed, 0 if self._is_known else self.start_policy.start(listed, handle))
        tailer.opened(handle, now)
        return tailer

    def _is_kept(self, tailer: Tailer, listing: Sequence[ListedFile]) -> bool:
        """Whether it can still be read, or will perhaps be, when a file that may be its compressed copy can."""
        return tailer.is_open or any(
            listed.identity in self._unreadable and listed.name.stem == tailer.name.stem and listed.name.rotated
            for listed in listing
        )

    def _forget(self, tailer: Tailer, listing: Sequence[ListedFile]) -> None:
        """A closed file that no name leads to any more, and no other file holds its content."""
        is_followed = any(listed.name.stem == tailer.name.stem for listed in listing)
        unread = max(0, tailer.known_size - tailer.read_offset)
        is_unended = is_followed or tailer is self._unended
        if unread or (tailer.may_have_grown_unseen and is_unended):
            self._losses.files += 1
            self._losses.bytes += unread
            amount = f"at least {unread} bytes" if unread else "an unknown number of bytes"
            log.error("%s/%s was deleted before it was fully read; lost %s; expected after long downtime, otherwise "
                      "raise the kubelet's containerLogMaxSize", self.directory, tailer.name, amount)  # fmt: skip

    # -- reading

    async def read(self, tailer: Tailer, buffer: memoryview, limit: int, now: float) -> Block | None:
        """The file's next block of about `limit` bytes; None when it has none now, or cannot be read."""
        try:
            if not tailer.is_open and not tailer.opened(self._open(tailer.name), now):
                raise Replaced
            return await tailer.read(buffer, limit, now)
        except Replaced:
            log.info("%s/%s was truncated or overwritten: reading it from its beginning", self.directory, tailer.name)
            self._losses.truncated += tailer.is_open
            tailer.replaced()
            self.expire_listing()
        except OSError as error:
            self._cannot_read(tailer, error)
        return None

    async def read_unfinished_line(self, tailer: Tailer, buffer: memoryview) -> Block | None:
        """What stands without a newline at the end of a file that nobody writes to any more."""
        try:
            return await tailer.read_unfinished_line(buffer)
        except OSError as error:
            self._cannot_read(tailer, error)
            return None

    def finish(self, tailer: Tailer) -> None:
        """Close a file that is read to its end, and forget it when no name leads to it."""
        tailer.close()
        if not tailer.is_listed:
            self.tailers.remove(tailer)

    def give_up(self, tailer: Tailer) -> bool:
        """Close a deleted file for the disk's sake: its compressed copy is read instead, or else its rest is lost.

        Returns whether something was lost.
        """
        unread = max(0, self.size(tailer) - tailer.read_offset)
        tailer.close()
        if tailer.is_listed:
            return False
        self.tailers.remove(tailer)
        if unread:
            self._losses.files += 1
            self._losses.bytes += unread
            log.error("%s/%s was deleted and is given up; lost %d bytes: deleted files that wait for Loki take more of "
                      "the disk than limits_config.max_deleted_bytes or max_deleted_percent",
                      self.directory, tailer.name, unread)  # fmt: skip
        return unread > 0

    def _open(self, name: LogName) -> Handle:
        return self._open_log(f"{self.directory}/{name}", name)

    # -- what goes wrong

    def _cannot_open(self, listed: ListedFile, error: OSError) -> None:
        if error.errno == errno.ENOENT:  # gone since it was listed
            self.expire_listing()
        elif listed.identity not in self._unreadable:
            self._unreadable |= {listed.identity}
            self._report(listed.name, error)

    def _cannot_read(self, tailer: Tailer, error: OSError) -> None:
        tailer.failed()
        if not tailer.is_listed or error.errno == errno.ENOENT:
            self.expire_listing()
        if error.errno != errno.ENOENT:
            self._report(tailer.name, error)

    def _report(self, name: LogName, error: OSError) -> None:
        self._losses.cannot_read(error)
        log.warning("cannot read %s/%s: %s; retrying", self.directory, name, error.strerror or error)

    def take_losses(self) -> Losses | None:
        """What went wrong since this was last asked, to be counted by the caller; None when nothing did."""
        if not self._losses:
            return None
        losses, self._losses = self._losses, Losses()
        return losses

    # -- how much there is

    def size(self, tailer: Tailer) -> int:
        """Bytes that this file has on the disk now."""
        return tailer.size_on_disk(f"{self.directory}/{tailer.name}")

    def unsettled(self) -> int:
        """Bytes that are on the disk now and not settled, also of files that could not be opened yet."""
        known = sum(max(0, self.size(tailer) - tailer.committed) for tailer in self.tailers)
        if not self.must_list and not self._unreadable:
            return known
        identities = {tailer.identity for tailer in self.tailers} | self._passed_over
        with contextlib.suppress(OSError):
            shown = Listing(self.directory).shown(self.stem, 0.0)
            known += sum(listed.size for listed in shown.files if listed.identity not in identities)
        return known

    # -- descriptors

    @property
    def has_work(self) -> bool:
        """Whether there may be something to read now."""
        return self.must_list or any(tailer.state.may_have_more for tailer in self.tailers)

    @property
    def modified(self) -> int:
        """When one of the files was last written to, by the last listing: nanoseconds since 1970."""
        return max((tailer.modified for tailer in self.tailers), default=0)

    @property
    def must_open(self) -> bool:
        """Whether it needs descriptors it does not hold."""
        return self.must_list or any(tailer.state is State.UNREAD for tailer in self.tailers)

    @property
    def are_open(self) -> bool:
        """Whether it holds descriptors."""
        return any(tailer.is_open for tailer in self.tailers)

    def release_idle(self) -> None:
        """Close what is read to its end, to make room for others."""
        for tailer in self.tailers:
            if tailer.is_idle:
                tailer.close()

    def close(self) -> None:
        """Give all descriptors back."""
        for tailer in self.tailers:
            tailer.close()

    def to_save(self) -> list[SavedFile]:
        """What a restart needs."""
        listed = (one for one in self.tailers if one.is_listed)
        return [
            SavedFile(one.name.text, *one.identity, *one.fingerprint, one.committed, one.known_size) for one in listed
        ]


def _same_content(tailer: Tailer, listed: ListedFile, head: bytes) -> bool:
    """Whether this file holds what the tailer's did, compressed or copied."""
    return tailer.name.stem == listed.name.stem and tailer.fingerprint.is_telling and tailer.fingerprint.matches(head)
