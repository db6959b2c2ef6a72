"""In which order the parts run and stop: reading stops first, then requests in flight get a short time, then saving.

Every wait at the stop has a deadline, so a dead Loki never delays the exit. Knows neither source nor sink.
"""

import asyncio
from collections.abc import Coroutine
from enum import Enum
from typing import Any, Final, Protocol

DRAIN: Final = 5.0  # seconds for which requests in flight are waited for at the stop


class End(Enum):
    """Why a run has ended."""

    STOPPED = "it was told to"
    DELIVERED = "all was read and settled"
    GAVE_UP = "nothing was settled for too long"


class Delivery(Protocol):
    """Takes entries and settles them while it runs."""

    @property
    def stuck_for(self) -> float:
        """Seconds in which nothing was settled though something is pending."""

    async def run(self) -> None:
        """Send until closed."""

    def flush(self) -> None:
        """Nothing more comes: wait for no more entries."""

    async def drained(self) -> None:
        """Wait until nothing is pending."""

    async def close(self, within: float) -> None:
        """Stop, after so many seconds at most."""


async def run_parts(
    reading: Coroutine[Any, Any, None],
    delivery: Delivery | None,
    saving: Coroutine[Any, Any, None] | None,
    *,
    stopping: asyncio.Event,
    patience: float | None,
) -> End:
    """Run until `stopping` is set or, with a patience, until all is read and settled.

    `delivery`: None where entries are settled at once. `patience`: seconds without a settlement after which it gives
    up; None: reading has no end. A part that fails ends the others, and its error is raised in an ExceptionGroup.
    """
    async with asyncio.TaskGroup() as last:
        save = last.create_task(saving) if saving else None
        if delivery:
            last.create_task(delivery.run())
        async with asyncio.TaskGroup() as first:
            read = first.create_task(reading)
            stop = first.create_task(stopping.wait())
            done = first.create_task(_settled(read, delivery, patience)) if patience is not None else None
            await asyncio.wait({stop, done} if done else {stop}, return_when="FIRST_COMPLETED")
            end = done.result() if done and done.done() else End.STOPPED
            for task in filter(None, (read, stop, done)):
                task.cancel()
        if delivery:
            await delivery.close(0 if end is End.GAVE_UP else DRAIN)
        if save:
            save.cancel()
    return end


async def _settled(reading: asyncio.Task[None], delivery: Delivery | None, patience: float) -> End:
    """Wait until all is read and settled, but no longer than `patience` without a settlement."""
    while True:
        try:
            async with asyncio.timeout(patience - delivery.stuck_for if delivery else None):
                await asyncio.wait({reading})
                if delivery:
                    delivery.flush()
                    await delivery.drained()
            return End.DELIVERED
        except TimeoutError:
            if delivery and delivery.stuck_for >= patience:
                return End.GAVE_UP
