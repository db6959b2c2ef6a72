"""How long a stream's entries wait for others to go with: a push costs as much as a hundred entries.

Decides; sends nothing, and keeps no stream.
"""

from collections.abc import Collection, Iterator
from heapq import nlargest

from shipper.sink.stream import Stream

LINGER = 0.1  # seconds that a stream's first entry waits


class Company:
    """Times are of the monotonic clock, in seconds."""

    def __init__(self, longest: float) -> None:
        self._usual, self._longest = min(LINGER, longest), longest
        self._more_comes = False

    def expect_more(self, more: bool) -> bool:
        """Whether more is about to come than can go at once: old lines, for which to wait is worth it.

        True: that is news, and changes how long they wait who wait now.
        """
        had_expected, self._more_comes = self._more_comes, more
        return had_expected != more

    def end(self) -> None:
        """From now on nobody waits."""
        self._usual = self._longest = 0.0

    def first_came(self, stream: Stream, now: float) -> None:
        """The stream had nothing that waits until now."""
        stream.ready_at = now + self._wait

    def was_answered(self, stream: Stream, limit: int) -> None:
        """What came meanwhile has waited for the answer, and usually that is enough."""
        queue = stream.queue
        waits = self._more_comes and queue and queue.size < limit
        stream.ready_at = queue.since + self._longest if waits else 0.0

    def changed(self, streams: Collection[Stream], now: float) -> Iterator[Stream]:
        """Those that wait for company longer, or not so long, by what is known now."""
        for stream in streams:
            if stream.ready_at > now and stream.queue:
                ready_at = stream.queue.since + self._wait
                if ready_at != stream.ready_at:
                    stream.ready_at = ready_at
                    yield stream

    @property
    def _wait(self) -> float:
        return self._longest if self._more_comes else self._usual

    @staticmethod
    def fullest(streams: Collection[Stream], number: int, now: float) -> list[Stream]:
        """Of those that could go and wait for company alone, the ones that need it least."""
        waiting = [stream for stream in streams if stream.waits_for_company(now)]
        return nlargest(number, waiting, key=lambda stream: stream.queue.size)
