"""All trials at once, through one Envoy with the EnvoyFilter applied, as a pod of a node that keeps its log.

Knows how to run them; what they are is in `inbound_trials` and `outbound_trials`.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from lab import certificates, inbound_trials, outbound_trials
from lab.application import application
from lab.certificates import Certificates
from lab.containerd import LogWriter
from lab.envoy import Envoy
from lab.envoy_config import APPLICATION, dead_sds
from lab.envoy_json import Json, bootstrap, cluster
from lab.trial import Trial
from lab.upstreams import serving, upstreams

TRIALS: list[Trial] = [*inbound_trials.trials(), *outbound_trials.trials()]

AT_ONCE = 8  # connections
WITHIN = 10.0  # seconds, for the last line


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of all trials."""

    pods: Path  # the node's directory of pod logs
    lines: dict[str, list[bytes]]  # what Envoy logged, by the trial's name


async def run(directory: Path, version: str, trials: Sequence[Trial] = TRIALS) -> Ran:
    """Run them, and stop the Envoy; EnvoyUnavailableError where it does not run.

    A line that is wanted and does not come is left to the caller to miss.
    """
    made, pods = certificates.make(directory), directory / "pods"
    async with AsyncExitStack() as stack:
        log = stack.enter_context(LogWriter(pods))
        app_port = await stack.enter_async_context(application())
        ports = await stack.enter_async_context(serving(upstreams(made), made.root))
        config = _bootstrap(made, app_port, ports)
        envoy = await stack.enter_async_context(Envoy(config, log, directory, version))
        addresses = await _connect(trials, made, envoy)
        await _settle(trials, addresses, envoy)
    return Ran(pods, {one.name: envoy.lines_about(addresses[one.name], one.listener) for one in trials})


def _bootstrap(made: Certificates, app_port: int, ports: dict[str, int]) -> Json:
    return bootstrap(
        "payment-service.shop",
        [*inbound_trials.listeners(made), *outbound_trials.listeners()],
        [cluster(APPLICATION, app_port), dead_sds(), *outbound_trials.clusters(made, ports)],
    )


async def _connect(trials: Sequence[Trial], made: Certificates, envoy: Envoy) -> dict[str, str]:
    some = asyncio.Semaphore(AT_ONCE)

    async def one(trial: Trial) -> tuple[str, str]:
        async with some:
            return trial.name, await trial.connect(made, envoy.ports[trial.listener])

    return dict(await asyncio.gather(*map(one, trials)))


async def _settle(trials: Sequence[Trial], addresses: dict[str, str], envoy: Envoy) -> None:
    def settled(_: object) -> bool:
        return all(len(envoy.lines_about(addresses[one.name], one.listener)) >= one.expected_lines for one in trials)

    try:
        await envoy.until(settled, WITHIN)
    except TimeoutError:
        pass  # whoever compares will say which one
