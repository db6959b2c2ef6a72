"""Tunnels through a waypoint, one after the other: who fails to come in, and whom the waypoint fails to reach."""

import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from lab import certificates, raw_clients
from lab.certificates import Certificates
from lab.clients import Caller, client_context
from lab.containerd import LogWriter
from lab.envoy import OLDEST, Envoy
from lab.envoy_config import CLOSED
from lab.outbound_trials import OUTCOMES, UNSAID
from lab.raw_clients import tunnel
from lab.trials import WITHIN, Ran
from lab.upstreams import serving, upstreams
from lab.waypoint import TERMINATE, waypoint

Open = Callable[[Certificates, int, int], Awaitable[object]]
"""Does what it does to the waypoint's port, for a tunnel to another port."""

NOWHERE: Final = 2  # a port that is no service's


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One connection to the waypoint."""

    name: str
    open: Open
    to: str = "fine"  # the upstream it is for, or `nowhere`
    reason: str = ""  # failure_reason of what is shipped; empty: Envoy writes nothing
    side: Literal["downstream", "upstream"] = "downstream"
    on_oldest: str = ""  # what the oldest Envoy's line can tell, where that is less

    def reason_on(self, version: str) -> str:
        """What is to be shipped of an Envoy of this version."""
        return self.on_oldest if self.on_oldest and version == OLDEST else self.reason


def _with(caller: Callable[[Certificates], Caller]) -> Open:
    return lambda made, port, to: tunnel(port, client_context(caller(made), made.root), to)


async def _speaks_plainly(_: Certificates, port: int, to: int) -> object:
    return await tunnel(port, None, to)


async def _scans(_: Certificates, port: int, __: int) -> object:
    return await raw_clients.probe(port)


_good: Final = _with(lambda made: Caller("checkout", "", made.checkout))
_old: Final = ssl.TLSVersion.TLSv1_1

TUNNELS: Final = [
    Tunnel("as it should be", _good),
    Tunnel("to no service", _good, "nowhere"),  # NR on main_internal
    Tunnel("a port scan", _scans),
    Tunnel("expired", _with(lambda made: Caller("", "", made.expired)), reason="cert_expired"),
    Tunnel(
        *("another root", _with(lambda made: Caller("", "", made.untrusted))),
        reason="cert_untrusted",
        on_oldest=UNSAID,
    ),
    Tunnel("no certificate", _with(lambda _: Caller("", "")), reason="no_client_cert"),
    Tunnel("TLS 1.1", _with(lambda made: Caller("", "", made.checkout, version=_old)), reason="tls_version_mismatch"),
    Tunnel("plaintext", _speaks_plainly, reason="plaintext"),
    *(
        Tunnel(f"to {name}", _good, name, reason, "upstream", on_oldest)
        for name, (reason, on_oldest) in OUTCOMES.items()
        if name not in ("fine", "silent", "no-secret")  # the last two are clusters of their own elsewhere
    ),
    Tunnel("and no line too late", _speaks_plainly, reason="plaintext"),
]


async def run(directory: Path, version: str) -> Ran:
    """All of them; EnvoyUnavailableError where no Envoy runs, TimeoutError when a line does not come."""
    made, pods = certificates.make(directory), directory / "pods"
    async with AsyncExitStack() as stack:
        log = stack.enter_context(LogWriter(pods, pod="waypoint-5d8f9c7b6-2xk9q"))
        ports = await stack.enter_async_context(serving(upstreams(made), made.root)) | {"refused": CLOSED}
        config = waypoint(made, ports.values())
        envoy = await stack.enter_async_context(Envoy(config, log, directory, version))
        lines: dict[str, list[bytes]] = {}
        for one in TUNNELS:
            seen = len(envoy.lines)
            await one.open(made, envoy.ports[TERMINATE], ports.get(one.to, NOWHERE))
            await _lines(envoy, seen + bool(one.reason))
            lines[one.name] = envoy.lines[seen:]
    return Ran(pods, lines)


async def _lines(envoy: Envoy, number: int) -> None:
    await envoy.until(lambda records: len(records) >= number, WITHIN)
