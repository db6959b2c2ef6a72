"""Turns one log file into blocks of whole lines.

Follows growth, notices truncation, and keeps the file open across rename and deletion. Knows bytes and files; nothing
of what a line means, and nothing of other files.
"""

from stringzilla import find, rfind

from shipper.model import Block
from shipper.source.tail.fingerprint import HEAD_BYTES, Fingerprint
from shipper.source.tail.handles import BEYOND, GzipFile, Handle, Pipe, PlainFile
from shipper.source.tail.names import Listed, LogName

NEWLINE = b"\n"


class Replaced(Exception):
    """The file does not hold what was read from it: truncated, or written anew."""


class Tailer:
    """One file: `read_offset` is where the next read starts, everything before `committed` is in Loki or given up."""

    def __init__(self, listed: Listed, offset: int = 0, fingerprint: Fingerprint | None = None) -> None:
        self.log: LogName = listed.log
        self.device, self.inode = listed.device, listed.inode
        self.fingerprint = fingerprint or Fingerprint()
        self.read_offset = self.committed = self.promised = offset
        self.size = 0  # when it was last looked at
        self.grown_at = 0.0  # monotonic
        self._looked_at = -1.0  # monotonic
        self.is_dirty = True  # there may be something to read
        self.is_listed = True  # a name in the directory leads to it
        self.is_replaced = False  # its content is gone from this inode
        self._skipped_from: int | None = None  # where a line that fits no buffer begins
        self._seen: Listed | None = None
        self._handle: Handle | None = None

    # -- which file it is

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._handle is not None

    def open(self, directory: str, log: LogName, now: float) -> bool:
        """Open it by a name; False when that leads to another file by now. Raises OSError."""
        handle = open_log(f"{directory}/{log.name}", log)
        if handle_identity(handle) != self.identity or not self.fingerprint.matches(handle.head()):
            handle.close()
            return False
        self._use(handle, now)
        return True

    def see(self, listed: Listed) -> None:
        """The directory shows it, perhaps under another name, perhaps grown."""
        unread = listed.size > self.read_offset and not listed.log.gzipped
        seen = self._seen
        if unread or seen is None or (listed.size, listed.modified) != (seen.size, seen.modified):
            self.is_dirty = True
        self.log, self._seen, self.is_listed = listed.log, listed, True

    @property
    def known_size(self) -> int:
        """Bytes it has, as far as anyone has looked."""
        seen = self._seen
        return max(self.size, seen.size if seen and not seen.log.gzipped else 0)

    @property
    def was_written_unseen(self) -> bool:
        """Whether an earlier process left it while it was written to, and this one has never seen it."""
        return self._seen is None and not self.log.rotated and self.fingerprint.size > 0

    def recognise(self) -> None:
        """Take the fingerprint as soon as there is something to take it of, read or not. Raises OSError."""
        if self._handle and self.fingerprint.size < HEAD_BYTES:
            head = self._handle.head()
            if self.fingerprint.matches(head):
                self._note_head(head)

    def looks_like(self, listed: Listed) -> bool:
        """Whether nothing has happened to a closed file since it was last seen."""
        return self._seen == listed

    def adopt(self, listed: Listed, handle: Handle, now: float) -> None:
        """Its content lives on in another file: gzipped, or copied away before a truncation."""
        self.device, self.inode = listed.device, listed.inode
        self.see(listed)
        if self._handle:
            handle.close()  # the old descriptor still leads to the whole content
        else:
            self._use(handle, now)
            self.is_replaced = False

    @classmethod
    def of_pipe(cls, fd: int) -> "Tailer":
        """What another program writes to us."""
        tailer = cls(Listed(LogName("stdin", "stdin", "", gzipped=False), 0, 0, 0, 0))
        tailer._use(Pipe(fd), 0.0)
        return tailer

    def _use(self, handle: Handle, now: float) -> None:
        self._handle, self.is_dirty, self.grown_at = handle, True, now
        self._note_head(handle.head())

    def close(self) -> None:
        """Give the descriptor back."""
        if self._handle:
            self._handle.close()
            self._handle = None

    # -- reading

    @property
    def held(self) -> int:
        """The offset up to which lines are whole."""
        return self.read_offset if self._skipped_from is None else self._skipped_from

    @property
    def has_tail(self) -> bool:
        """Whether something without a newline stands at its end."""
        return self.size > self.read_offset or self._skipped_from is not None

    async def read(self, buffer: memoryview, limit: int, now: float) -> Block | None:
        """The next whole lines, about `limit` bytes; None when there are none yet. Raises Replaced and OSError."""
        handle = self._handle
        assert handle
        if self.read_offset != BEYOND and (now != self._looked_at or self.size <= self.read_offset):  # once in a turn
            self._look(handle, now)
            self._looked_at = now
        if self.size <= self.read_offset:
            self.is_dirty = False
            return None
        start = self.read_offset
        window = buffer[:limit]
        length = await handle.read_into(window, start)
        if length == limit < len(buffer) and find(window, NEWLINE) < 0:  # one long line: all the room there is
            window = buffer
            length = await handle.read_into(window, start)
        self.is_dirty = length == len(window) or (bool(length) and start + length < handle.size(start + length))
        if not self.is_dirty:
            self.size = start + length
        return self._lines(start, window, length)

    async def read_tail(self, buffer: memoryview) -> Block | None:
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

    def _look(self, handle: Handle, now: float) -> None:
        size, head = handle.size(self.read_offset), handle.head()
        if size < self.read_offset or not self.fingerprint.matches(head):
            raise Replaced
        if size != self.size:
            self.size, self.grown_at = size, now
            self._note_head(head)

    def _note_head(self, head: bytes) -> None:
        if len(head) > self.fingerprint.size:
            self.fingerprint = Fingerprint.of(head)


def open_log(path: str, log: LogName) -> Handle:
    """Open a log, plain or gzipped. Raises OSError."""
    return GzipFile(path) if log.gzipped else PlainFile(path)


def handle_identity(handle: Handle) -> tuple[int, int]:
    """Device and inode of an open file."""
    return handle.device, handle.inode
