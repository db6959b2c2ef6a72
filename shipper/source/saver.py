"""When positions are saved: soon after an ack, seldom without one, and at once where a push depends on it."""

import asyncio
import time
from typing import Final, Protocol

from shipper.source.positions import Positions

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

    async def before_push(self) -> None:
        """Nothing is pushed under labels that a restart would not give again; a full disk does not stop pushes."""
        needed = self._state.state
        if self._saved < needed:
            async with self._guard:  # one save serves all that wait for it
                if self._saved < needed:
                    await self.save()

    async def run(self) -> None:
        """Save when it is due, until cancelled."""
        while True:
            self._sooner.clear()
            wait = self._due - time.monotonic()
            if wait <= 0:
                await self.save()
                continue
            try:
                async with asyncio.timeout(None if wait == float("inf") else wait):
                    await self._sooner.wait()
            except TimeoutError:
                pass

    async def save(self) -> None:
        """Save now; what failed is tried again in a while."""
        self._due, state = float("inf"), self._state.state
        if not await self._positions.save():
            self.moved(acked=False)
        self._saved = max(self._saved, state)  # also when it failed: a full disk stops no push
