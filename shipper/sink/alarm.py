"""One timer of the event loop for many moments: it is set for the first of them, and set anew when it has rung.

Setting and cancelling a timer for each wait costs more than looking once too often: so a moment that is no longer
waited for is not taken back. Whoever is called looks what there is to do, and sets it again.
"""

import asyncio
from collections.abc import Callable

FAR = 86_400.0  # seconds; the loop's own clock need not reach farther


class Alarm:
    """Rings at the earliest moment it was set for since it rang last, or a little too early."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._at = 0.0

    def set(self, at: float, now: float) -> None:
        """Ring at `at`, or earlier; both are of one clock, whichever that is."""
        if self._handle is not None:
            if self._at <= at:
                return
            self._handle.cancel()
        self._at = at
        self._handle = asyncio.get_running_loop().call_later(min(at - now, FAR), self._rings)

    def off(self) -> None:
        """Ring no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _rings(self) -> None:
        self._handle = None
        self._ring()
