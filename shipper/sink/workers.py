"""Tasks that live: each takes work as long as there is any, and sleeps until it is roused.

Making a task for each piece of work, and a loop that waits for it to be done, cost two turns of the event loop and a
fifth of a push. Knows nothing of what the work is.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Workers(Generic[T]):
    """At most so many; one is made when all others have something to do. One that fails fails their group."""

    def __init__(self, most: int, take: Callable[[], T | None], do: Callable[[T], Awaitable[None]]) -> None:
        """`take` gives the next piece of work, or None: there is none now."""
        self._most, self._take, self._do = most, take, do
        self._group: asyncio.TaskGroup | None = None
        self._all: list[asyncio.Task[None]] = []
        self._asleep: list[asyncio.Future[None]] = []
        self._roused = 0  # have not looked for work yet
        self._busy = 0

    def start(self, group: asyncio.TaskGroup) -> None:
        """From now on they are the group's tasks."""
        self._group = group

    def stop(self) -> None:
        """End them, whatever they do."""
        self._group = None
        for task in self._all:
            task.cancel()

    @property
    def free(self) -> int:
        """How many more could have work."""
        return self._most - self._busy

    @property
    def are_idle(self) -> bool:
        """Whether none has work."""
        return not self._busy

    def rouse(self, number: int) -> None:
        """See that so many look for work, as far as there may be so many."""
        if self._group is None:
            return
        while self._roused < number:
            if self._asleep:
                waiter = self._asleep.pop()
                if waiter.done():  # cancelled with its task
                    continue
                waiter.set_result(None)
            elif len(self._all) < self._most:
                self._all.append(self._group.create_task(self._work()))
            else:
                return
            self._roused += 1

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._roused -= 1
                self._busy += 1
                while (work := self._take()) is not None:
                    await self._do(work)
                self._busy -= 1
                waiter = loop.create_future()
                self._asleep.append(waiter)
                await waiter
        finally:  # one that fails ends them all: their group takes no new ones
            self._group = None
