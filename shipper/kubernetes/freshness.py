"""Whether a store has all changes so far, which it must know to say who has an address now.

An open watch is told of changes as they happen. One that was just opened is first told what it has missed.
"""

import asyncio
from types import TracebackType
from typing import Protocol, Self


class Follower(Protocol):
    """Who wants to know."""

    def follows(self) -> None:
        """All changes so far were told, and from now on they are told as they happen."""

    def lost(self, seconds: float) -> None:
        """They are not any more: those of the last `seconds` may be missing, and all later ones."""


class Freshness:
    """Tells a follower while the context lasts, which is an open watch."""

    def __init__(self, follower: Follower, catch_up: float) -> None:
        """`catch_up`: seconds after which a watch has told what it had missed, unless more is there to be read."""
        self._follower, self._catch_up = follower, catch_up
        self._loop = asyncio.get_running_loop()
        self._drained, self._follows = True, False

    def __enter__(self) -> Self:
        self._heard = self._loop.time()
        self._timer = self._loop.call_later(self._catch_up, self._check)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._follows:
            self._follower.lost(self._loop.time() - self._heard if error else 0.0)  # ended in order, nothing is missing

    def heard(self, *, drained: bool) -> None:
        """The watch has sent something, which was put into the store; `drained`: there is no more for now."""
        self._heard, self._drained = self._loop.time(), drained

    def _check(self) -> None:
        if self._drained:
            self._follows = True
            self._follower.follows()
        else:
            self._timer = self._loop.call_later(self._catch_up, self._check)
