"""Says which directories have changed, by inotify.

A hint and no more: every decision is made on what a listing shows. Where watches are not to be had (a limit of the
machine, a file system without them) the caller must list the directories now and then.
"""

import contextlib
import errno
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

from inotify_simple import INotify, flags

log = logging.getLogger(__name__)

WRITES = flags.MODIFY
CHANGES = (  # of what there is: a file may be gone as fast as it came
    flags.CREATE | flags.MOVED_TO | flags.MOVED_FROM | flags.DELETE | flags.ATTRIB
    | flags.DELETE_SELF | flags.MOVE_SELF
)  # fmt: skip


class Change(NamedTuple):
    """Something has happened to this name in this directory; `wrote`: no more than that its content changed."""

    directory: str
    name: str
    wrote: bool


class Watcher:
    """Watches for events of some kinds."""

    def __init__(
        self, kinds: int = CHANGES | WRITES, connect: Callable[[], INotify] = lambda: INotify(nonblocking=True)
    ) -> None:
        self._mask = kinds | flags.ONLYDIR
        self._directories: dict[int, list[str]] = {}  # under all names that it was given
        self._watches: dict[str, int] = {}
        self._has_warned = False
        self._inotify: INotify | None = None
        try:
            self._inotify = connect()
        except OSError as error:
            self._warn(error)

    def fileno(self) -> int | None:
        """The descriptor that becomes readable with a change; None when there are no watches at all."""
        return self._inotify.fileno() if self._inotify else None

    def add(self, directory: str) -> bool:
        """Watch what this name leads to now; False when it must be listed now and then instead."""
        if not self._inotify:
            return False
        try:
            watch = self._inotify.add_watch(directory, self._mask)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
                self._warn(error)
            return False
        known = self._watches.get(directory)
        if watch != known:
            if known is not None:  # another directory has taken the name: what happens in the old one does not count
                self._forget(directory, known)
            self._directories.setdefault(watch, []).append(directory)
            self._watches[directory] = watch
        return True

    def _forget(self, directory: str, watch: int) -> None:
        names = self._directories.get(watch, [])
        if directory in names:
            names.remove(directory)
            if not names:
                del self._directories[watch]
                with contextlib.suppress(OSError):  # the directory is gone, and the watch with it
                    if self._inotify:
                        self._inotify.rm_watch(watch)

    def changes(self) -> Iterator[Change | None]:
        """What has happened since; None: too much, so that everything must be listed."""
        for event in self._inotify.read(timeout=0) if self._inotify else ():
            if event.mask & flags.Q_OVERFLOW:
                yield None
                continue
            directories = list(self._directories.get(event.wd, ()))
            if event.mask & flags.IGNORED:  # the kernel has taken the watch away with the directory
                self._directories.pop(event.wd, None)
                for directory in directories:
                    if self._watches.get(directory) == event.wd:
                        del self._watches[directory]
            wrote = event.mask & ~flags.ISDIR == flags.MODIFY
            for directory in directories:
                yield Change(directory, event.name, wrote)

    def close(self) -> None:
        """Give the descriptor back, and with it all watches."""
        if self._inotify:
            self._inotify.close()
            self._inotify = None

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            log.warning("inotify: %s; directories without a watch are listed each second instead, which costs more; "
                        "raise fs.inotify.max_user_watches or max_user_instances", error.strerror)  # fmt: skip
