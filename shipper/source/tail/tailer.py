"""Turns one log file into blocks of whole lines.

Follows growth, notices truncation, and keeps the file open across rename and deletion. Knows bytes and files; nothing
of what a line means, and nothing of other files.
"""

import contextlib

from stringzilla import find, rfind

from shipper.model import Block
from shipper.source.tail import state
from shipper.source.tail.fingerprint import HEAD_BYTES, Fingerprint
from shipper.source.tail.handles import BEYOND, Deleted, Handle, Pipe, size_at
from shipper.source.tail.names import ListedFile, LogName
from shipper.source.tail.saved import SavedFile
from shipper.source.tail.state import State

NEWLINE = b"\n"


class Replaced(Exception):
    """The file does not hold what was read from it: truncated, or overwritten."""


class Tailer:
    """One file: the next read starts at `read_offset`; everything before `committed` is in Loki or was dropped."""

    def __init__(self, listed: ListedFile, offset: int = 0, fingerprint: Fingerprint | None = None) -> None:
        self.name: LogName = listed.name
        self.identity = listed.identity
        self.fingerprint = fingerprint or Fingerprint()
        self.read_offset = self.committed = offset
        self.ticketed = offset  # the end of its last ticket
        self.size = 0  # when it was last looked at
        self.grown_at = 0.0  # monotonic
        self.is_listed = True  # a name in the directory leads to it
        self.state = State.UNREAD
        self._looked_at = -1.0  # monotonic
        self._skipped_from: int | None = None  # where a line that fits no buffer begins
        self._seen: ListedFile | None = None
        self._handle: Handle | None = None

    @classmethod
    def of_pipe(cls, fd: int) -> "Tailer":
        """A pipe that another program writes to."""
        tailer = cls(ListedFile(LogName("stdin", "stdin", "", gzipped=False), (0, 0), 0, 0))
        tailer._use(Pipe(fd), 0.0)
        return tailer

    @classmethod
    def restored(cls, saved: SavedFile) -> "Tailer":
        """A file as the positions tell of it; the directory will show what has become of it."""
        name = LogName.parse(saved.name) or LogName(saved.name, saved.name, "", gzipped=False)
        listed = ListedFile(name, (saved.device, saved.inode), -1, -1)
        tailer = cls(listed, saved.offset, Fingerprint(saved.head, saved.digest))
        tailer.size = saved.size
        return tailer

    # -- its state

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._handle is not None

    @property
    def may_have_more(self) -> bool:
        """Whether there may be something to read now."""
        return self.state.may_have_more

    @property
    def is_idle(self) -> bool:
        """Whether it can be closed and found again: by its name, and with nothing to read."""
        return self.state is State.CAUGHT_UP and self.is_listed and not self.has_unfinished_line

    @property
    def has_unfinished_line(self) -> bool:
        """Whether something without a newline stands at its end."""
        return self.size > self.read_offset or self._skipped_from is not None

    @property
    def commit_limit(self) -> int:
        """The offset up to which lines are whole."""
        return self.read_offset if self._skipped_from is None else self._skipped_from

    @property
    def known_size(self) -> int:
        """Bytes it has, as far as anyone has looked."""
        seen = self._seen
        return max(self.size, seen.size if seen and not seen.name.gzipped else 0)

    def size_on_disk(self, path: str) -> int:
        """Bytes it has now, as the disk tells; as far as anyone has looked where its path leads to it no more."""
        if self.name.gzipped and not self.may_have_more:  # it has no more, or it is damaged and tells nothing
            return self.size
        with contextlib.suppress(OSError):
            if self._handle:
                return self._handle.size_on_disk()
            if self.is_listed and self.state is not State.REPLACED:
                return size_at(path, self.name, self.identity)
        return self.known_size

    @property
    def modified(self) -> int:
        """When it was last written to, by the last listing: nanoseconds since 1970."""
        return self._seen.modified if self._seen else 0

    @property
    def has_grown_since_listed(self) -> bool:
        """Whether it is larger than the last listing has shown."""
        return self._seen is None or (self.size > self._seen.size and not self.name.gzipped)

    @property
    def may_be_deleted(self) -> bool:
        """Whether its descriptor may be all that keeps it on the disk; of a compressed one it leads to the original."""
        return self.is_open and (not self.is_listed or self.name.gzipped)

    @property
    def deleted(self) -> Deleted | None:
        """What it takes from the disk by being held open, if that is all that keeps it there."""
        return self._handle.deleted() if self._handle else None

    @property
    def may_have_grown_unseen(self) -> bool:
        """Whether an earlier process left it while it was written to, and this one has never seen it."""
        return self._seen is None and not self.name.rotated and self.fingerprint.size > 0

    # -- what happens to it

    def opened(self, handle: Handle, now: float) -> bool:
        """Its name was opened; False when that leads to another file by now, and the handle is closed."""
        if handle.identity != self.identity or not self.fingerprint.matches(handle.head()):
            handle.close()
            return False
        self._use(handle, now)
        return True

    def moved(self, listed: ListedFile, handle: Handle, now: float) -> None:
        """Its content lives on in this file: compressed, or copied before a truncation."""
        self.identity = listed.identity
        if self._handle:
            handle.close()  # the old descriptor still leads to the whole content
        else:
            self._use(handle, now)

    def listed(self, listed: ListedFile) -> None:
        """The directory shows it, perhaps under another name, perhaps grown."""
        unread = listed.size > self.read_offset and not listed.name.gzipped
        seen = self._seen
        if unread or seen is None or (listed.size, listed.modified) != (seen.size, seen.modified):
            self.grew()
        self.name, self._seen, self.is_listed = listed.name, listed, True

    def unlisted(self) -> None:
        """No name leads to it any more, so no listing will tell that it has grown: look once."""
        self.is_listed = False
        self.grew()

    def grew(self) -> None:
        """It was written to, or may have been."""
        self.state = state.GREW[self.state]

    def replaced(self) -> None:
        """Its content is gone from its inode."""
        self._close()
        self.state = state.REPLACED[self.state]

    def failed(self) -> None:
        """It cannot be read; it is tried again when something happens to it."""
        self._close()
        self.state = state.FAILED[self.state]

    def close(self) -> None:
        """Give the descriptor back."""
        self._close()
        self.state = state.CLOSED[self.state]

    def _use(self, handle: Handle, now: float) -> None:
        self._handle, self.grown_at = handle, now
        self.state = state.OPENED[self.state]
        self._note_head(handle.head())

    def _close(self) -> None:
        if self._handle:
            self._handle.close()
            self._handle = None

    # -- which file it is

    def is_unchanged(self, listed: ListedFile) -> bool:
        """Whether nothing has happened to a closed file since it was last listed."""
        return self._seen == listed

    def recognise(self) -> None:
        """Take the fingerprint as soon as there is something to take it of, read or not. Raises OSError."""
        if self._handle and self.fingerprint.size < HEAD_BYTES:
            head = self._handle.head()
            if self.fingerprint.matches(head):
                self._note_head(head)

    def _note_head(self, head: bytes) -> None:
        if len(head) > self.fingerprint.size:
            self.fingerprint = Fingerprint.of(head)

    # -- reading

    async def read(self, buffer: memoryview, limit: int, now: float) -> Block | None:
        """The next whole lines, about `limit` bytes; None when there are none yet. Raises Replaced and OSError."""
        handle = self._handle
        assert handle
        if self.read_offset != BEYOND and (now != self._looked_at or self.size <= self.read_offset):  # once in a turn
            self._look(handle, now)
            self._looked_at = now
        if self.size <= self.read_offset:
            self.state = state.READ_TO_ITS_END[self.state]
            return None
        start = self.read_offset
        window = buffer[:limit]
        length = await handle.read_into(window, start)
        if length == limit < len(buffer) and find(window, NEWLINE) < 0:  # one long line: all the room there is
            window = buffer
            length = await handle.read_into(window, start)
        if length < len(window) and (not length or start + length >= handle.size(start + length)):
            self.state = state.READ_TO_ITS_END[self.state]
            self.size = start + length
        return self._lines(start, window, length)

    async def read_unfinished_line(self, buffer: memoryview) -> Block | None:
        """What has no newline at the end of a file that nobody writes to any more: a line. Raises OSError."""
        handle = self._handle
        assert handle
        start = self.read_offset
        length = await handle.read_into(buffer[:-1], start)
        self.read_offset = self.size = start + length
        if self._skipped_from is not None:
            self._skipped_from = None
            return Block(self, start, buffer[:0], too_long=1)
        if not length:
            return None
        buffer[length] = NEWLINE[0]
        return Block(self, start, buffer[: length + 1])

    def _look(self, handle: Handle, now: float) -> None:
        size, head = handle.size(self.read_offset), handle.head()
        if size < self.read_offset or not self.fingerprint.matches(head):
            raise Replaced
        if size != self.size:
            self.size, self.grown_at = size, now
            self._note_head(head)

    def _lines(self, start: int, window: memoryview, length: int) -> Block | None:
        read = window[:length]
        end = rfind(read, NEWLINE) + 1
        too_long = 0
        if self._skipped_from is not None:
            if not end:
                self.read_offset += length
                return None
            begin = find(read, NEWLINE) + 1
            self._skipped_from, too_long = None, 1
        elif end:
            begin = 0
        else:
            if length == len(window):  # a line that fits no buffer: pass over it
                self._skipped_from = start
                self.read_offset += length
            return None
        self.read_offset = start + end
        return Block(self, start + begin, read[begin:end], too_long)
