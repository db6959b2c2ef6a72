"""When the reader checks what has happened: at once when a file came or went, but not for each line.

Waking up costs more than reading a line. So a first write waits for others to come. While every check finds new lines
we poll on a timer instead of waking per write: faster if lines are being kept, which shall not be late.
"""

import asyncio
import time
from collections.abc import Callable

from shipper.source.discovery.inotify import Watcher
from shipper.source.timing import Timing


class Pacing:
    """Lets a reader sleep, and wakes it up. `changes` are what comes and goes, `writes` can wait."""

    def __init__(
        self, changes: Watcher, writes: Watcher, timing: Timing, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._changes, self._writes = changes, writes
        self._timing, self._clock = timing, clock
        self._event = asyncio.Event()
        self._only_wrote = False  # nothing else has happened since it slept
        self._listened: set[int] = set()  # descriptors

    def wake(self) -> None:
        """There is something that cannot wait."""
        self._only_wrote = False
        self._event.set()

    def clear(self) -> None:
        """What has happened so far is about to be checked."""
        self._event.clear()

    async def sleep(self, until: float, *, is_busy: bool, has_kept: bool) -> None:
        """Until it is time, or something has happened.

        `until` is a time of the clock. `is_busy`: the last check has found something written; `has_kept`: and a line
        of it was kept.
        """
        self._listen(self._changes, self._noticed)
        poll = self._timing.poll_when_shipping if has_kept else self._timing.poll_when_reading
        if is_busy and poll:
            self._ignore(self._writes)
            await self._wait(min(until - self._clock(), poll))
            return
        self._only_wrote = False
        self._listen(self._writes, self._noticed_write)
        await self._wait(until - self._clock())
        if self._only_wrote and self._timing.debounce:
            self._event.clear()
            await self._wait(self._timing.debounce)

    def close(self) -> None:
        """Listen no more."""
        self._ignore(self._changes)
        self._ignore(self._writes)

    async def _wait(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()

    def _listen(self, watcher: Watcher, notice: Callable[[], None]) -> None:
        if (fd := watcher.fileno()) is not None and fd not in self._listened:
            self._listened.add(fd)
            asyncio.get_running_loop().add_reader(fd, notice)

    def _ignore(self, watcher: Watcher) -> None:
        """An event that is known and not yet checked must not wake it again."""
        if (fd := watcher.fileno()) is not None and fd in self._listened:
            self._listened.discard(fd)
            asyncio.get_running_loop().remove_reader(fd)

    def _noticed(self) -> None:
        self._ignore(self._changes)
        self.wake()

    def _noticed_write(self) -> None:
        self._ignore(self._writes)
        self._only_wrote = not self._event.is_set()
        self._event.set()
