"""Stands at the sink's border, where kept entries are handed on, and notes them for those who watch.

Notes whole `Entries`, packed as they are: nothing is decoded before somebody asks, and an entry costs nothing.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from shipper.config.units import MIB
from shipper.entries import Entries

MOST_RECENT: Final = 50  # entries that are remembered, at least, as far as memory allows
RECENT_MEMORY: Final = 1 * MIB  # of them
WAITING_MEMORY: Final = 1 * MIB  # of what waits for one listener
MOST_LISTENERS: Final = 4


class Tap:
    """A sink that hands on to another, and remembers the last entries."""

    def __init__(
        self, put: Callable[[Entries], None], push_fullest: Callable[[], None], backlog: Callable[[bool], None]
    ) -> None:
        """The three of a sink."""
        self._put, self.push_fullest, self.backlog = put, push_fullest, backlog
        self._recent: deque[Entries] = deque()
        self._count = self._memory = 0  # of these
        self._listeners: list[Listener] = []

    def put(self, entries: Entries) -> None:
        """Hand these on, and note them."""
        self._put(entries)
        for listener in self._listeners:
            listener.offer(entries)
        if entries.memory > RECENT_MEMORY:
            return
        recent = self._recent
        recent.append(entries)
        self._count += entries.count
        self._memory += entries.memory
        while self._count - recent[0].count >= MOST_RECENT or self._memory > RECENT_MEMORY:
            oldest = recent.popleft()
            self._count -= oldest.count
            self._memory -= oldest.memory

    def recent(self) -> list[Entries]:
        """The last that were put, the oldest first: of the first one perhaps more entries than are wanted."""
        return list(self._recent)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    @property
    def is_full(self) -> bool:
        """Whether no more may listen."""
        return self.listeners >= MOST_LISTENERS

    @contextmanager
    def listening(self) -> Iterator["Listener"]:
        """A listener that is offered all that is put from now on."""
        listener = Listener()
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

    def close(self) -> None:
        """The agent stops: nothing more comes."""
        for listener in self._listeners:
            listener.close()


class Listener:
    """What waits for one who watches."""

    def __init__(self) -> None:
        self._waiting: list[Entries] = []
        self._memory = 0
        self._lost = 0
        self._arrived = asyncio.Event()
        self.is_closed = False

    def offer(self, entries: Entries) -> None:
        """Take these, or count them as lost where too much waits already."""
        if self._memory + entries.memory > WAITING_MEMORY:
            self._lost += entries.count
        else:
            self._waiting.append(entries)
            self._memory += entries.memory
        self._arrived.set()

    async def arrived(self) -> None:
        """Wait until something has come, or nothing more will."""
        await self._arrived.wait()

    def take(self) -> tuple[list[Entries], int]:
        """All that waits, and how many entries were lost since the last time."""
        taken, lost = self._waiting, self._lost
        self._waiting, self._memory, self._lost = [], 0, 0
        if not self.is_closed:
            self._arrived.clear()
        return taken, lost

    def close(self) -> None:
        """Nothing more comes."""
        self.is_closed = True
        self._arrived.set()
