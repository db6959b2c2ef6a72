"""Time that stands still until a test moves it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest


class Clock:
    """Stands still until a test moves it; the event loop's timers go by it too."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[asyncio.TimerHandle] = []

    def __call__(self) -> float:
        return self.now

    async def pass_by(self, seconds: float = 0.0) -> None:
        """What is to be done now is done, so much time passes, and then what is to be done by then."""
        for passed in (0.0, seconds):
            self.now += passed
            for _ in range(20):
                await asyncio.sleep(0)

    def timers(self) -> int:
        """How many timers the event loop holds that have not been cancelled."""
        return sum(not timer.cancelled() and timer.when() > self.now for timer in self._timers)

    @property
    def timers_set(self) -> int:
        """How many timers there were so far."""
        return len(self._timers)

    def drive(self, loop: asyncio.AbstractEventLoop, patch: pytest.MonkeyPatch) -> None:
        """From now on the loop goes by this clock."""
        call_at = loop.call_at

        def noted(when: float, callback: Callable[..., object], *args: Any, **more: Any) -> asyncio.TimerHandle:
            self._timers.append(call_at(when, callback, *args, **more))
            return self._timers[-1]

        patch.setattr(loop, "time", self)
        patch.setattr(loop, "call_at", noted)
