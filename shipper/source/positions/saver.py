"""When positions are saved: soon after entries are settled, seldom else, and at once where a push depends on it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from math import inf

from shipper.entries import Entries
from shipper.source.positions.file import Positions
from shipper.source.positions.snapshot import Followed, Snapshot


class Saver:
    """Saves positions while it runs."""

    def __init__(
        self,
        positions: Positions,
        snapshot: Snapshot,
        *,
        after_settling: float,
        after_reading: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`after_settling`, `after_reading`: seconds from a position's move to its save."""
        self._positions, self._snapshot = positions, snapshot
        self._after_settling, self._after_reading, self._clock = after_settling, after_reading, clock
        self._sooner = asyncio.Event()
        self._guard = asyncio.Lock()
        self._saved_generation = snapshot.label_generation
        self.due = inf  # when the next save is, by the clock

    @property
    def label_generation(self) -> int:
        """What must be saved before entries are pushed that are read now; see `before_push`."""
        return self._snapshot.label_generation

    def settled(self, followed: Followed) -> None:
        """Entries of this target are settled, and its position has moved."""
        self._snapshot.touch(followed)
        self._save_within(self._after_settling)

    def passed_over(self) -> None:
        """A position has moved past lines that are not kept, or a target is gone: cheap to read again."""
        self._save_within(self._after_reading)

    def _save_within(self, seconds: float) -> None:
        due = self._clock() + seconds
        if due < self.due:
            self.due = due
            self._sooner.set()

    async def before_push(self, parts: Sequence[Entries]) -> None:
        """Save first if these entries use label state that is not on disk yet. A failed save does not block the push.

        One save covers everything that was read before it, so a backlog needs one save, not one for each batch.
        """
        needed = max(part.ticket.label_generation for part in parts)
        if self._saved_generation < needed:
            await self._save_unless(lambda: self._saved_generation >= needed)

    async def run(self) -> None:
        """Save when it is due, until cancelled."""
        while True:
            self._sooner.clear()
            wait = self.due - self._clock()
            if wait <= 0:
                await self._save_unless(lambda: self.due > self._clock())
                continue
            try:
                async with asyncio.timeout(None if wait == inf else wait):
                    await self._sooner.wait()
            except TimeoutError:
                pass

    async def save(self) -> None:
        """Save now."""
        await self._save_unless(lambda: False)

    async def _save_unless(self, is_done: Callable[[], bool]) -> None:
        """Save, if that was not done while it was waited for: one save serves all that wait for it."""
        async with self._guard:
            if is_done():
                return
            self.due, generation = inf, self._snapshot.label_generation
            if not await self._positions.save(self._snapshot.encoded()):
                self.passed_over()
            self._saved_generation = max(self._saved_generation, generation)  # also when it failed
