"""When positions are saved: soon after an ack, seldom without one, and at once where a push depends on it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from shipper.entries import Entries
from shipper.source.positions.file import Positions
from shipper.source.positions.snapshot import Snapshot

AFTER_ACK: Final = 0.5  # seconds
AFTER_READING: Final = 10.0  # what was only passed over is cheap to read again


class Saver:
    """Saves positions while it runs."""

    def __init__(self, positions: Positions, snapshot: Snapshot) -> None:
        self._positions, self._snapshot = positions, snapshot
        self._due = float("inf")  # monotonic
        self._sooner = asyncio.Event()
        self._guard = asyncio.Lock()
        self._saved_generation = snapshot.label_generation

    def moved(self, acked: bool) -> None:
        """A position has moved, by Loki's answer or by reading what is not kept."""
        due = time.monotonic() + (AFTER_ACK if acked else AFTER_READING)
        if due < self._due:
            self._due = due
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
            wait = self._due - time.monotonic()
            if wait <= 0:
                await self._save_unless(lambda: self._due > time.monotonic())
                continue
            try:
                async with asyncio.timeout(None if wait == float("inf") else wait):
                    await self._sooner.wait()
            except TimeoutError:
                pass

    async def _save_unless(self, is_done: Callable[[], bool]) -> None:
        """Save, if that was not done while it was waited for: one save serves all that wait for it."""
        async with self._guard:
            if not is_done():
                await self._save()

    async def save(self) -> None:
        """Save now."""
        await self._save_unless(lambda: False)

    async def _save(self) -> None:
        """Save; what failed is tried again in a while."""
        self._due, generation = float("inf"), self._snapshot.label_generation
        if not await self._positions.save(self._snapshot.encoded()):
            self.moved(acked=False)
        self._saved_generation = max(self._saved_generation, generation)  # also when it failed: no push is blocked
