"""Results that wait until the peers of their lines are known.

A line's peer decides its labels, so what was read is held until a directory has answered, for a short time at most:
a directory that is down costs labels, never lines. What one target has is released in the order in which it was read,
so a result behind one that waits does not overtake it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from shipper.pipeline.result import Result

OVERHEAD: Final = 512  # bytes of memory beside the lines

Release = Callable[[Result, str], None]
"""Takes a result that was held, and why the peers that are still not known are not; empty where all are."""


class Learn(Protocol):
    """Asks for peers."""

    async def __call__(self, questions: Sequence[tuple[str, int]], deadline: float) -> str:
        """Wait until these addresses are known for these times, or given up; raises nothing.

        Times are nanoseconds since 1970. Returns at the `deadline`, by the loop's clock, at the latest: why some are
        not known, empty if all are.
        """


class _Held:
    """One result that waits."""

    __slots__ = ("missing", "release", "result")

    def __init__(self, result: Result, release: Release) -> None:
        self.result, self.release = result, release
        self.missing: str | None = None  # not known yet


class PeerWait:
    """Holds results of all targets. An async context, which ends when nothing is held any more or by an error."""

    def __init__(self, learn: Learn, timeout: float) -> None:
        """`timeout`: seconds for which a result waits at most."""
        self._learn, self._timeout = learn, timeout
        self._held: dict[object, deque[_Held]] = {}  # by target, in the order of reading
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, traceback)

    def must_hold(self, target: object, result: Result) -> bool:
        """Whether this result has to wait: for the peers of its lines, or behind one that does."""
        return bool(result.unanswered) or (target in self._held and bool(result.streams))

    def hold(self, target: object, result: Result, release: Release) -> None:
        """Call `release` when the peers are known or the time is up, and all that was held before is released."""
        held = _Held(result, release)
        self._held.setdefault(target, deque()).append(held)
        if result.unanswered:
            deadline = asyncio.get_running_loop().time() + self._timeout
            self._tasks.create_task(self._wait(target, held, deadline))
        else:
            held.missing = ""  # it only waits for its turn

    async def _wait(self, target: object, held: _Held, deadline: float) -> None:
        held.missing = await self._learn(held.result.questions(), deadline)
        queue = self._held[target]
        while queue and (missing := queue[0].missing) is not None:
            first = queue.popleft()
            first.release(first.result, missing)
        if not queue:
            del self._held[target]


def memory_of(result: Result) -> int:
    """Bytes that a result takes while it is held."""
    columns = result.streams.values()
    return OVERHEAD + sum([one.size for one in columns]) + sum([line.memory for line in result.unanswered])
