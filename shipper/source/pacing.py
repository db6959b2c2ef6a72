"""When the reader looks at what has happened: at once when something came or went, but not for each line.

Waking up costs more than reading a line. So a write waits for others to come; and as long as each look finds some, the
looks come at a pace of their own, and no write wakes anyone; a quicker one where something is kept, which shall not
be late.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from shipper.source.discovery.inotify import Watcher

GATHER: Final = 0.15  # seconds from a first write to the look at it, in which others come
PACE: Final = 0.3  # seconds between looks while each finds something to keep
LEISURE: Final = 0.48  # seconds between looks while each finds something, and nothing of it is kept


class Pacing:
    """Lets a reader sleep, and wakes it up. `changes` are what comes and goes, `writes` can wait."""

    def __init__(self, changes: Watcher, writes: Watcher) -> None:
        self._changes, self._writes = changes, writes
        self._gather, self._pace, self._leisure = GATHER, PACE, LEISURE
        self._event = asyncio.Event()
        self._only_wrote = False  # nothing else has happened since it slept
        self._listened: set[int] = set()  # descriptors

    def wait_at_most(self, seconds: float) -> None:
        """Let no write wait longer than this to be looked at."""
        self._gather, self._pace, self._leisure = (min(one, seconds) for one in (GATHER, PACE, LEISURE))

    def rouse(self) -> None:
        """There is something that cannot wait."""
        self._only_wrote = False
        self._event.set()

    def clear(self) -> None:
        """What has happened so far is about to be looked at."""
        self._event.clear()

    async def sleep(self, until: float, *, is_busy: bool, has_kept: bool) -> None:
        """Until it is time, or something has happened; the last look has found something written, or even kept it."""
        self._listen(self._changes, self._noticed)
        if is_busy and self._pace:
            self._ignore(self._writes)
            pace = self._pace if has_kept else self._leisure
            await self._wait(min(until, time.monotonic() + pace))
            return
        self._only_wrote = False
        self._listen(self._writes, self._noticed_write)
        await self._wait(until)
        if self._only_wrote and self._gather:
            self._event.clear()
            await self._wait(time.monotonic() + self._gather)

    def close(self) -> None:
        """Listen no more."""
        self._ignore(self._changes)
        self._ignore(self._writes)

    async def _wait(self, until: float) -> None:
        timer = asyncio.get_running_loop().call_at(until, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()

    def _listen(self, watcher: Watcher, notice: Callable[[], None]) -> None:
        if (fd := watcher.fileno()) is not None and fd not in self._listened:
            self._listened.add(fd)
            asyncio.get_running_loop().add_reader(fd, notice)

    def _ignore(self, watcher: Watcher) -> None:
        """An event that is known and not yet looked at must not wake it again."""
        if (fd := watcher.fileno()) is not None and fd in self._listened:
            self._listened.discard(fd)
            asyncio.get_running_loop().remove_reader(fd)

    def _noticed(self) -> None:
        self._ignore(self._changes)
        self.rouse()

    def _noticed_write(self) -> None:
        self._ignore(self._writes)
        self._only_wrote = not self._event.is_set()
        self._event.set()
