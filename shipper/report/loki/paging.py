"""All entries of a span of time, page by page: no limit of Loki's cuts anything, and memory is bounded by one page.

The span is asked for in windows. Within one, the next page begins at the last nanosecond of the page before, for that
may have held more than fitted; what was there already is left out. Where Loki finds a page or a window too large, a
smaller one is asked for.

Facts: `start` is included and `end` is not, `direction=forward` gives the oldest first over all streams, and entries
with the same stream, time and line are one (Loki's HTTP API, and its query engine's merge of streams).
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, NamedTuple

from shipper.times import SECOND

Labels = tuple[tuple[str, str], ...]
"""Names and values of a stream, sorted."""

WINDOW: Final = 6 * 3600 * SECOND
SHORTEST_WINDOW: Final = 10 * SECOND
PAGE: Final = 5000  # entries: max_entries_limit_per_query, as Loki has it by default
SMALLEST_PAGE: Final = 100


class Entry(NamedTuple):
    """A line of Loki's."""

    nanos: int
    labels: Labels
    line: str


class PageTooLarge(Exception):
    """So many entries are more than one answer may hold: fewer. `allowed`: as many as may be asked for; 0: not told."""

    def __init__(self, text: str, allowed: int = 0) -> None:
        super().__init__(text)
        self.allowed = allowed


class WindowTooLarge(Exception):
    """So much time is more than one query may search: less."""


Ask = Callable[[int, int, int], Coroutine[Any, Any, list[Entry]]]
"""The entries from a time to before another, at most so many, the oldest first. Raises PageTooLarge, WindowTooLarge."""


class Pages:
    """Asks for all entries of a span; learns how much Loki gives at once."""

    def __init__(self, ask: Ask, page: int = PAGE, window: int = WINDOW) -> None:
        self._ask, self._page, self._window = ask, page, window
        self._most: int | None = None  # entries that Loki allows, once it has said so
        self.cut: list[int] = []  # nanoseconds that held more entries than Loki gives at once

    async def between(self, begin: int, end: int) -> AsyncIterator[list[Entry]]:
        """Pages without any entry twice, the oldest first."""
        start, seen = begin, set[Entry]()
        while start < end:
            stop = min(end, start + self._window)
            try:
                page = await self._ask(start, stop, self._page)
            except PageTooLarge as error:
                self._take_smaller_pages(error)
                continue
            except WindowTooLarge:
                if self._window <= SHORTEST_WINDOW:
                    raise
                self._window = max(SHORTEST_WINDOW, min(self._window, stop - start) // 2)
                continue
            fresh = [entry for entry in page if entry not in seen]
            if fresh:
                yield fresh
            if len(page) < self._page:
                start, seen = stop, set()
                continue
            start, seen = self._after(page, start, seen)

    def _after(self, page: list[Entry], start: int, seen: set[Entry]) -> tuple[int, set[Entry]]:
        """Where the next page begins after a full one, and what of it was there already."""
        last = page[-1].nanos
        if last > start:
            return last, {entry for entry in page if entry.nanos == last}
        if self._most is None or 2 * self._page <= self._most:
            self._page *= 2  # a whole page within a nanosecond: the rest can only come with it
            return start, seen | set(page)
        self.cut.append(start)
        return start + 1, set()

    def _take_smaller_pages(self, error: PageTooLarge) -> None:
        allowed = error.allowed or self._page // 2
        if allowed < (1 if error.allowed else SMALLEST_PAGE) or allowed >= self._page:
            raise error
        self._page = self._most = allowed
