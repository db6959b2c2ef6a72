"""A trial: one connection through an Envoy, and what the agent should ship of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from lab import clients
from lab.certificates import Certificates
from lab.clients import Caller
from lab.envoy import OLDEST

Connect = Callable[[Certificates, int], Awaitable[str]]
"""Connects to a port of this host, does what it does, and returns its own address."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One connection to a listener."""

    name: str
    listener: str
    connect: Connect
    reason: str = ""  # failure_reason of what is shipped; empty: nothing is
    side: Literal["downstream", "upstream"] = "downstream"
    on_oldest: str = ""  # what the oldest Envoy's line can tell, where that is less
    lines: int | None = None  # that Envoy writes; None: one for a failure, none else

    def reason_on(self, version: str) -> str:
        """What is to be shipped of an Envoy of this version."""
        return self.on_oldest if self.on_oldest and version == OLDEST else self.reason

    @property
    def expected_lines(self) -> int:
        """How many lines Envoy writes of the connection."""
        return bool(self.reason) if self.lines is None else self.lines


def request(describe: Callable[[Certificates], Caller]) -> Connect:
    """A request by the caller that is described."""

    async def connect(certificates: Certificates, port: int) -> str:
        return (await clients.call(describe(certificates), port, certificates.root)).address

    return connect
