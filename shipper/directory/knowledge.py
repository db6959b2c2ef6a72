"""All that the directory knows: the history, up to when it is complete, and who waits for more.

Pods and nodes are watched apart: what is known of both is known.
"""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from shipper.config import DirectoryConfig
from shipper.directory.clock import Clock
from shipper.who import Answer, History, Margins, Reason
from shipper.who.addresses import parsed
from shipper.who.holder import EXTERNAL

SECOND = 1_000_000_000  # nanoseconds
RESOURCES = ("pods", "nodes")


class Knowledge:
    """Answers from the history, once it is complete up to the asked time."""

    def __init__(self, config: DirectoryConfig, clock: Clock) -> None:
        self._settle = round(config.settle * SECOND)
        margins = Margins(self._settle, round(config.margin * SECOND))
        self.history = History(margins, round(config.history * SECOND), config.max_ended)
        self._ranges: list[IPv4Network | IPv6Network] = [ip_network(text) for text in config.cluster_ranges]
        self._clock, self._complete = clock, dict.fromkeys(RESOURCES, 0)
        self._advanced = asyncio.Event()

    @property
    def is_ready(self) -> bool:
        """Whether the first lists are there."""
        return self.history.known > 0

    def now(self) -> int:
        """The time of day."""
        return self._clock.now()

    @property
    def age(self) -> float:
        """Seconds since all was known; infinite before that."""
        return (self._clock.now() - self.history.known) / SECOND if self.is_ready else float("inf")

    def complete(self, resource: str, seconds: float) -> None:
        """All changes of a resource up to so many seconds ago are in the history."""
        now = self._clock.now()
        if self._clock.was_set():
            self.history.restart(now)
            self._complete = {name: min(1, known) for name, known in self._complete.items()}
        self._complete[resource] = max(self._complete[resource], now - round(seconds * SECOND))
        if (known := min(self._complete.values())) > 1:
            self.history.advance(known)
            self._advanced.set()
            self._advanced = asyncio.Event()

    def at(self, address: str, nanos: int) -> Answer:
        """Who had an address then."""
        answer = self.history.at(address, nanos)
        if answer.reason in (Reason.NEVER_SEEN, Reason.BEFORE_HISTORY, Reason.TOO_RECENT) and self._is_outside(address):
            return Answer(EXTERNAL, 0, max(nanos, self.history.known))
        return answer

    def _is_outside(self, address: str) -> bool:
        """Whether nobody of the cluster can have it: an address outside all its ranges that no node has either."""
        if not self._ranges or self.history.holds(address):
            return False
        found = parsed(address)
        return found is not None and not any(found in network for network in self._ranges)

    async def settled(self, times: Sequence[int], within: float) -> None:
        """Wait until all is known of these times, except of those that lie in the future; for so many seconds."""
        soon = self._clock.now() + round(within * SECOND)
        last = max((time for time in times if time <= soon), default=0)
        try:
            async with asyncio.timeout(within):
                while last > self.history.known - self._settle:
                    await self._advanced.wait()
        except TimeoutError:
            pass
