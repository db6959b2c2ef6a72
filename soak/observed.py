"""The agent, run as its command runs it, with two gauges more: its asyncio tasks, and its objects.

    python -m soak.observed run --log-dir DIR --client.url URL ...

Takes the flags of `shipper run`; only what the long run must know is added to /metrics.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shipper import log
from shipper.agent import Agent, Options
from shipper.config.file import FLAGS, load
from shipper.metrics import Metrics


class Within(Collector):
    """What only the process itself can count; asked within the event loop, by the agent's server."""

    def collect(self) -> Iterator[Metric]:
        """The gauges as they are now."""
        gc.collect()
        yield GaugeMetricFamily("soak_tasks", "asyncio tasks", value=len(asyncio.all_tasks()))
        yield GaugeMetricFamily("soak_objects", "Objects the collector knows", value=len(gc.get_objects()))


async def run(arguments: list[str]) -> int:
    """The agent's exit code."""
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    file = given.pop("--config.file", None)
    config = load(Path(file) if file else None, os.environ, {name: given.get(name) for name in FLAGS})
    log.set_up(config.server.log_level, config.server.log_format)
    registry = CollectorRegistry()
    agent = Agent(config, Options(), Metrics(registry))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, agent.stop)
    asyncio.get_running_loop().call_soon(lambda: registry.register(Within()))
    return await agent.run()


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[2:])))
