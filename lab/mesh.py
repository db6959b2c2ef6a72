"""The scene: payment-service behind an Envoy that is STRICT, on a node that writes its log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import certificates
from lab.application import application
from lab.certificates import Certificates
from lab.clients import Caller, Outcome, call
from lab.containerd import LogWriter
from lab.envoy import Envoy, Record
from lab.envoy_config import sidecar


@dataclass(frozen=True, slots=True)
class Called:
    """A call, from both ends."""

    caller: Caller
    outcome: Outcome
    record: Record  # what Envoy logged of it
    line: bytes  # the same, as printed


@dataclass(frozen=True, slots=True)
class Mesh:
    """A running scene."""

    certificates: Certificates
    envoy: Envoy
    log: LogWriter
    pods: Path  # the node's directory of pod logs

    async def call(self, caller: Caller) -> Called:
        """One call, and the line Envoy writes of it; they share the caller's address."""
        outcome = await call(caller, self.envoy.port, self.certificates.root)
        await self.envoy.until(lambda records: any(_of(record, outcome) for record in records))
        at = next(at for at, record in enumerate(self.envoy.records) if _of(record, outcome))
        return Called(caller, outcome, self.envoy.records[at], self.envoy.lines[at])


def _of(record: Record, outcome: Outcome) -> bool:
    return bool(record["downstream_remote_address"] == outcome.address)


@asynccontextmanager
async def mesh(directory: Path) -> AsyncIterator[Mesh]:
    """The scene below `directory`; EnvoyUnavailableError where no Envoy runs."""
    made, pods = certificates.make(directory), directory / "pods"
    with LogWriter(pods) as log:
        async with application() as port, Envoy(sidecar(made, port), log, directory) as envoy:
            yield Mesh(made, envoy, log, pods)
