"""The scene: two pods on a node that writes their logs. Both sidecars are STRICT.

payment-service has the EnvoyFilter of deploy/mesh and logs JSON. storefront logs as Istio does by default, text, and
calls an upstream whose certificate has expired.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import certificates, istio_logs
from lab.access_log import Record
from lab.application import application
from lab.certificates import Certificates
from lab.clients import Caller, Outcome, call
from lab.containerd import LogWriter
from lab.envoy import Envoy
from lab.envoy_config import APPLICATION, http, listener, mutual_tls, own, sidecar, strict
from lab.envoy_json import Json, bootstrap, cluster
from lab.outbound_config import cluster_name, http_listener
from lab.outbound_config import mutual_tls as to_upstream
from lab.upstreams import serving, upstreams

INBOUND, OUTBOUND = "virtualInbound", "0.0.0.0_8080"  # storefront's listeners
CALLED = ("fine", "expired")  # by storefront


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
    envoy: Envoy  # payment-service's
    log: LogWriter  # the same
    storefront: Envoy
    pods: Path  # the node's directory of pod logs

    async def call(self, caller: Caller) -> Called:
        """One call to payment-service, and the line Envoy writes of it."""
        return await self._call(caller, self.envoy, INBOUND)

    async def call_storefront(self, caller: Caller) -> Called:
        """One call that comes in to storefront."""
        return await self._call(caller, self.storefront, INBOUND)

    async def call_from_storefront(self, caller: Caller) -> Called:
        """One call that goes out from storefront, through its own sidecar."""
        return await self._call(caller, self.storefront, OUTBOUND)

    async def _call(self, caller: Caller, envoy: Envoy, listener: str) -> Called:
        outcome = await call(caller, envoy.ports[listener], self.certificates.root)
        ends = {"downstream_remote_address": outcome.address, "downstream_local_address": envoy.address(listener)}
        await envoy.until(lambda records: any(ends.items() <= record.items() for record in records))
        at = next(at for at, record in enumerate(envoy.records) if ends.items() <= record.items())
        return Called(caller, outcome, envoy.records[at], envoy.lines[at])


@asynccontextmanager
async def mesh(directory: Path) -> AsyncIterator[Mesh]:
    """The scene below `directory`; EnvoyUnavailableError where no Envoy runs."""
    made, pods = certificates.make(directory), directory / "pods"
    servers = {name: server for name, server in upstreams(made).items() if name in CALLED}
    async with AsyncExitStack() as stack:
        log = stack.enter_context(LogWriter(pods))
        storefront_log = stack.enter_context(LogWriter(pods, pod="storefront-5c8f7d9b4-k2m9q"))
        app_port = await stack.enter_async_context(application())
        ports = await stack.enter_async_context(serving(servers, made.root))
        envoy = await stack.enter_async_context(Envoy(sidecar(made, app_port), log, directory))
        config = _storefront(made, app_port, ports)
        storefront = await stack.enter_async_context(Envoy(config, storefront_log, directory))
        yield Mesh(made, envoy, log, storefront, pods)


def _storefront(made: Certificates, app_port: int, ports: dict[str, int]) -> Json:
    """A sidecar with the logs that Istio puts there by default, and nothing of ours."""
    tls, log = mutual_tls(made.root, own(made.checkout)), istio_logs.request_log()
    socket = to_upstream(made, own(made.checkout))
    called = [cluster(cluster_name(name), port, transport_socket=socket) for name, port in ports.items()]
    return bootstrap(
        "storefront.shop",
        [
            listener(INBOUND, [strict(http(APPLICATION, [log]), tls)], [istio_logs.listener_log()]),
            http_listener(OUTBOUND, CALLED, [log]),
        ],
        [cluster(APPLICATION, app_port), *called],
    )
