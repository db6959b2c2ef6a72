"""A node, its Loki and its agent in one event loop that runs only on request: for the models.

A crash drops the agent's tasks and its memory; only the positions file and Loki outlive it.
"""

import asyncio
import contextlib
import gc
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from lab.faults import Fault
from lab.limits import Limits
from lab.loki import LokiReceiver
from shipper.agent import FINE, Agent, Options
from shipper.config.file import parse
from shipper.metrics import Metrics
from shipper.source.timing import Timing
from soak.written import Verdict, Written

PATIENCE = 30.0  # seconds, on the busiest of machines

# The agent's waits in small: what matters is their order.
TIMING = Timing(quiet=0.1, partial_quiet=0.05, tick=0.02, rescan=0.2, save_after_settling=0.01, save_after_reading=0.02)
CONFIG = """
server: {{http_listen_port: 0, log_level: error}}
positions: {{filename: "{directory}/positions.json", look_back: {look_back}}}
clients:
  - {{url: "{url}", timeout: 150ms, batchwait: 10ms, backoff_config: {{min_period: 1ms, max_period: 10ms}}}}
scrape_configs: [{{pod_logs: {{root: "{directory}/pods"}}{scrape}}}]
limits_config:
  {{max_in_flight_bytes: 1MiB, max_line_size: 100KiB, max_streams: 6, max_label_values: 3, open_files: 3{limits}}}
"""


@contextlib.contextmanager
def collected() -> Iterator[None]:
    """What a crash leaves open is closed by the collector."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings(action="ignore", category=ResourceWarning))
        stack.callback(gc.collect)
        stack.enter_context(mock.patch("gc.freeze"))  # what a crash leaves must be collected here
        yield


def try_histories(machine: type[RuleBasedStateMachine], examples: int) -> None:
    """Try so many histories that hypothesis chooses."""
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    phases = [phase for phase in Phase if phase is not Phase.shrink]  # each failure takes its time to be one
    with_time = settings(
        max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=checks, phases=phases
    )
    run_state_machine_as_test(machine, settings=with_time)


class World:
    """Node, agent and Loki; the model says what must be true of them."""

    def __init__(
        self,
        limits: Limits | None = None,
        scrape: str = "",
        timing: Timing = TIMING,
        *,
        look_back: str = "all",
        limits_config: str = "",
    ) -> None:
        """`limits` are Loki's; `scrape` and `limits_config` are added to those sections."""
        self._timing = timing
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(collected())
        # A crashed agent's save may still be under way, on a thread that nobody waits for.
        directory = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._directory = Path(self._stack.enter_context(directory))
        self.root = self._directory / "pods"
        self.root.mkdir()
        self._runner = self._stack.enter_context(asyncio.Runner())
        self.loki = LokiReceiver(limits)
        self._runner.run(self.loki.__aenter__())
        self.written = Written()
        text = CONFIG.format(
            directory=self._directory, url=self.loki.url, scrape=scrape, look_back=look_back, limits=limits_config
        )
        self._config = parse(text.encode(), "model.yaml", {})
        self._api: dict[str, Any] = {}  # how and when the agent asks the Kubernetes API
        self._agent: Agent | None = None
        self._task: asyncio.Task[int] | None = None

    def close(self) -> None:
        """Take everything down."""
        if self._task is not None:
            self.crash()
        self._runner.run(self.loki.__aexit__(None, None, None))
        self._stack.close()

    # -- the agent

    @property
    def is_up(self) -> bool:
        """Whether an agent runs."""
        return self._task is not None

    def start(self) -> None:
        """Start a new agent on the positions that the last one saved."""

        async def begin() -> None:
            self._agent = Agent(self._config, Options(), timing=self._timing, **self._api)
            self._task = asyncio.create_task(self._agent.run())

        self._runner.run(begin())

    def crash(self) -> None:
        """As with SIGKILL: nothing is saved or logged."""

        async def end() -> None:
            assert self._task
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

        self._runner.run(end())
        self._agent = self._task = None

    def stop(self) -> None:
        """As with SIGTERM: it must end in time, with exit code 0."""

        async def end() -> int:
            assert self._agent
            assert self._task
            await asyncio.sleep(0)  # its task may not have begun
            self._agent.stop()
            return await asyncio.wait_for(self._task, PATIENCE)

        assert self._runner.run(end()) == FINE
        self._agent = self._task = None

    def breathe(self, seconds: float) -> None:
        """Let everything run for a while; the agent must survive it."""
        self._runner.run(asyncio.sleep(seconds))
        assert self._task is None or not self._task.done(), self._task

    def until(self, reached: Callable[[], bool], within: float = PATIENCE) -> bool:
        """Let everything run until `reached` is true; False when it is not in time."""

        async def wait() -> bool:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    while not reached():
                        assert self._task is None or not self._task.done(), self._task
                        await asyncio.sleep(0.002)
                    return True
            return False

        return self._runner.run(wait())

    def misbehave(self, *faults: Fault) -> None:
        """Faults of the next pushes, one each."""
        self.loki.script.extend(faults)

    # -- what is known of it

    @property
    def stored(self) -> set[bytes]:
        """Lines that Loki has."""
        return {line for entries in self.loki.streams.values() for _, line in entries}

    def targets(self) -> list[dict[str, Any]]:
        """What the agent tells of its logs."""
        return self._agent.status.targets() if self._agent and self._agent.status else []

    def holds(self, directory: Path) -> bool:
        """Whether the agent has read or holds open every file of this log: only then may it be deleted."""
        known = {
            file["name"]: file["open"] or file["read"] == file["size"] > 0
            for target in self.targets()
            for file in target["files"]
            if target["target"] == f"{directory.parent.name}/{directory.name}"
        }
        return all(known.get(path.name, False) for path in directory.iterdir() if path.stat().st_size)

    def is_delivered(self) -> bool:
        """Whether nothing is missing."""
        return not self.written.missing(self.stored)

    @property
    def metrics(self) -> Metrics:
        """The agent's counters."""
        assert self._agent
        return self._agent.metrics

    def ledger(self) -> dict[str, int]:
        """The agent's own accounting."""
        assert self._agent
        return self._agent.metrics.ledger()

    def settle(self) -> None:
        """Everything written must arrive once; then the ledger must add up and the agent must end with code 0."""
        if not self.is_up:
            self.start()
        assert self.until(self.is_delivered), f"lost: {self.written.missing(self.stored)}"
        assert self.until(lambda: self.ledger()["pending"] == 0), self.ledger()
        ledger = self.ledger()
        assert ledger["read"] == ledger["filtered"] + ledger["sent"] + ledger["dropped"], ledger
        assert ledger["dropped"] == 0, ledger
        self.stop()
        verdict = self.judge()
        assert verdict.is_fine, verdict

    def judge(self) -> Verdict:
        """Loki against what was written."""
        return self.written.judge(self.loki.stored())
