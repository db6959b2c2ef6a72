"""When positions are saved: soon after an ack, seldom without one, and at once where a push depends on it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from shipper.entries import Entries
from shipper.source.positions.file import Positions

AFTER_ACK: Final = 0.5  # seconds
AFTER_READING: Final = 10.0  # what was only passed over is cheap to read again


class State(Protocol):
    """What label sets depend on, beside the line."""

    @property
    def state(self) -> int:
        """A number that grows with it."""


class Saver:
    """Saves positions while it runs."""

    def __init__(self, positions: Positions, state: State) -> None:
        self._positions, self._state = positions, state
        self._due = float("inf")  # monotonic
        self._sooner = asyncio.Event()
        self._guard = asyncio.Lock()
        self._saved = state.state  # of what was saved last

    def moved(self, acked: bool) -> None:
        """A position has moved, by Loki's answer or by reading what is not kept."""
        due = time.monotonic() + (AFTER_ACK if acked else AFTER_READING)
        if due < self._due:
            self._due = due
            self._sooner.set()

    async def before_push(self, parts: Sequence[Entries]) -> None:
        """Nothing is pushed under labels that a restart would not give again; a full disk does not stop pushes.

        What these depend on was there when they were read. Pushes come later than that, so one save serves all that
        was read before it: of a backlog each would else need one of its own.
        """
        needed = max(part.ticket.state for part in parts)
        if self._saved < needed:
            await self._save_unless(lambda: self._saved >= needed)

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
                await self.save()

    async def save(self) -> None:
        """Save now; what failed is tried again in a while."""
        self._due, state = float("inf"), self._state.state
        if not await self._positions.save():
            self.moved(acked=False)
        self._saved = max(self._saved, state)  # also when it failed: a full disk stops no push
