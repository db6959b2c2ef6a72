"""Puts the parts together, and decides in which order they start and stop.

Never touches bytes. Start: positions, sender, reader, server. Stop: reading first, then what is under way gets a short
time, then positions are saved: so that a dead Loki never delays the exit, and nothing is lost by it.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from shipper import __version__
from shipper.config import Config
from shipper.entries import Entries
from shipper.fields import LINE_FIELDS
from shipper.metrics import Metrics
from shipper.model import Target
from shipper.pipeline.audit import Audit
from shipper.pipeline.keep import KEEP_RULES
from shipper.pipeline.labels import Admission, target_labels
from shipper.pipeline.pipeline import Pipeline
from shipper.server import serving
from shipper.sink.client import Client
from shipper.sink.local import Nowhere, Printer
from shipper.sink.quarantine import QuarantineFile
from shipper.sink.sender import Sender, nothing_to_save
from shipper.source import status
from shipper.source.accounting import Accounting
from shipper.source.discovery.targets import Found, Targets
from shipper.source.follower import OnSettled
from shipper.source.kubernetes.client import Connect, connected
from shipper.source.kubernetes.metadata import fields_from
from shipper.source.kubernetes.pod_watch import keeping_up
from shipper.source.kubernetes.pods import Pods
from shipper.source.kubernetes.timing import API_TIMING, ApiTiming
from shipper.source.positions.file import Positions, SavedTarget
from shipper.source.positions.saver import Saver
from shipper.source.positions.snapshot import Snapshot
from shipper.source.reader import Reader, Sink
from shipper.source.stdin import StdinReader
from shipper.source.tail.look_back import StartPolicy
from shipper.source.target_set import OnChange, TargetSet
from shipper.source.timing import Timing

log = logging.getLogger(__name__)

FINE, FAILED, UNDELIVERED = 0, 1, 3  # exit codes; 2 is usage and configuration
DRAIN: Final = 5.0  # seconds that what is under way gets at the stop


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for beside the configuration."""

    once: bool = False
    dry_run: bool = False
    stdin: bool = False
    patience: float = 25.0  # seconds without an answer after which --once gives up


class Agent:
    """One run of the agent."""

    def __init__(
        self,
        config: Config,
        options: Options,
        metrics: Metrics | None = None,
        timing: Timing | None = None,
        *,
        connect: Connect = connected,
        api_timing: ApiTiming = API_TIMING,
    ) -> None:
        """`connect` and `api_timing`: how and when the Kubernetes API is asked."""
        self._config, self._options, self._timing = config, options, timing or Timing()
        self._connect, self._api_timing = connect, api_timing
        self._scrape = config.scrape_configs[0]
        self._client = config.clients[0] if config.clients and not options.dry_run else None
        self.metrics = metrics or Metrics()
        self._stopping = asyncio.Event()
        self.reader: Reader | None = None  # while logs are read
        names = [name for name in self._scrape.labels if name in LINE_FIELDS]
        limits = config.limits_config
        self._pipeline = Pipeline(
            KEEP_RULES[self._scrape.keep],
            Admission(names, limits.max_label_values, limits.max_streams),
            self._scrape.structured_metadata,
            limits.max_line_size,
            Audit() if self._scrape.count_failures else None,
        )
        self._accounting = Accounting(self.metrics, ships=self._client is not None)
        self.pods = Pods(fields_from(self._scrape), self.metrics, api_timing)

    def stop(self) -> None:
        """End in order; when that was asked for already, at once."""
        if self._stopping.is_set():
            os._exit(FAILED)
        self._stopping.set()

    async def run(self) -> int:
        """Run to the end; the exit code."""
        log.info("shipper %s: keep %s, %s", __version__, self._scrape.keep, self._destination())
        if self._options.stdin:
            code = await self._run_stdin()
        else:
            code = await self._run_logs()
        log.info("ledger: %s", " ".join(f"{name}={amount}" for name, amount in self.metrics.ledger().items()))
        return code

    # -- the two ways to read

    async def _run_logs(self) -> int:
        positions = Positions(Path(self._config.positions.filename), self.metrics, read_only=self._options.dry_run)
        saved, admission, scrape = positions.load(), self._pipeline.admission, self._scrape
        snapshot = Snapshot(admission, saved)
        saver = Saver(positions, snapshot)

        def target_set(on_change: OnChange, on_settled: OnSettled) -> TargetSet:
            return TargetSet(
                lambda watch: Targets(Path(scrape.pod_logs.root), scrape.pod_logs, watch),
                self._pipeline,
                self._describe,
                StartPolicy(self._config.positions.look_back),
                self._accounting,
                snapshot,
                saved,
                self._timing,
                on_change,
                on_settled,
            )

        async with self._sinking(saver.before_push) as (sink, sender):
            limits = self._config.limits_config
            self.reader = reader = Reader(target_set, sink, saver, snapshot, admission, limits, self._accounting)
            self.metrics.registry.register(status.StatusCollector(reader))

            def describe() -> dict[str, Any]:
                return {"loki": self._loki(sender), "targets": status.targets(reader)}

            knowing_pods = self._knowing_pods(reader.ask_again)
            async with knowing_pods, self._serving(lambda: reader.is_ready, describe):
                if self._client:
                    reader.pacing.wait_at_most(self._client.batchwait)
                gc.freeze()  # what is there now stays: no collection needs to look at it again
                gc.set_threshold(50_000)  # entries are no garbage: they go when they are settled
                reading = reader.run(once=self._options.once)
                code = await self._until_done(reading, saver.run(), sender, ends=self._options.once)
        await saver.save()
        return code

    async def _run_stdin(self) -> int:
        target = self._target(Found("stdin", "", None, {}), SavedTarget(), {})
        budget = self._config.limits_config.max_in_flight_bytes
        async with self._sinking(nothing_to_save) as (sink, sender):
            source = StdinReader(sys.stdin.fileno(), target, self._pipeline, sink, budget, self._accounting)
            return await self._until_done(source.run(), _forever(), sender, ends=True)

    async def _until_done(
        self,
        reading: Coroutine[Any, Any, None],
        saving: Coroutine[Any, Any, None],
        sender: Sender | None,
        *,
        ends: bool,
    ) -> int:
        """Until a signal, or when it ends by itself until the last answer. A part that fails ends the process."""
        read, save = asyncio.create_task(reading), asyncio.create_task(saving)
        send = asyncio.create_task(sender.run() if sender else _forever())
        stop = asyncio.create_task(self._stopping.wait())
        done = asyncio.create_task(self._delivered(read, sender) if ends else _forever_fine())
        try:
            ended, _ = await asyncio.wait(
                {save, send, stop, done, *(() if ends else (read,))}, return_when="FIRST_COMPLETED"
            )
            for task in ended:
                task.result()
            code = done.result() if done in ended else FINE
            read.cancel()  # reading stops first
            if sender:
                await sender.close(0 if code == UNDELIVERED else DRAIN)
            return code
        finally:
            tasks = (read, save, send, stop, done)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _delivered(self, reading: asyncio.Task[None], sender: Sender | None) -> int:
        """Wait until all is read and settled; the exit code."""
        while not reading.done() or (sender and sender.pending):
            if sender and sender.stuck_for >= self._options.patience:
                log.error("gave up: nothing was settled for %.0f s, %d entries are pending (%s); the next run sends "
                          "them", sender.stuck_for, sender.pending, sender.failing or "held")  # fmt: skip
                return UNDELIVERED
            if reading.done() and sender:
                sender.flush()
            await asyncio.sleep(0.02)
        reading.result()
        return UNDELIVERED if self._client and self.metrics.ledger()["dropped"] else FINE

    # -- parts

    @contextlib.asynccontextmanager
    async def _sinking(
        self, before_push: Callable[[Sequence[Entries]], Awaitable[None]]
    ) -> AsyncIterator[tuple[Sink, Sender | None]]:
        """The sink, as configured, and the sender if it is one."""
        if self._client is None:
            yield Printer(sys.stdout, self.metrics) if self._options.dry_run else Nowhere(self.metrics), None
            return
        quarantine = None
        if self._client.on_reject == "quarantine":
            path = self._client.quarantine_file or Path(self._config.positions.filename).with_name("quarantine.jsonl")
            quarantine = QuarantineFile(Path(path), self.metrics)
        async with Client(self._client, self.metrics) as client:
            sender = Sender(self._client, client.push, self.metrics, before_push=before_push, quarantine=quarantine)
            yield sender, sender

    @contextlib.asynccontextmanager
    async def _serving(self, is_ready: Callable[[], bool], describe: Callable[[], Any]) -> AsyncIterator[None]:
        if self._options.dry_run:  # it may run beside an agent that has the port
            yield
            return
        async with serving(self._config.server, self.metrics.registry, is_ready, describe):
            yield

    @contextlib.asynccontextmanager
    async def _knowing_pods(self, ask_again: Callable[[], None]) -> AsyncIterator[None]:
        """What the Kubernetes API tells of this node's pods, when it is to be asked."""
        node = os.environ.get("NODE_NAME", "")
        if self._scrape.kubernetes and not node:
            log.error("kubernetes: NODE_NAME is not set, so nothing is asked: pods are named by their logs' paths")
        if not self._asks_for_pods:
            yield
            return
        async with keeping_up(node, self.pods, self.metrics, ask_again, self._connect, self._api_timing):
            yield

    @property
    def _asks_for_pods(self) -> bool:
        return self._scrape.kubernetes and bool(os.environ.get("NODE_NAME"))

    def _describe(self, found: Found, saved: SavedTarget) -> Target | None:
        """What the target is known by; None while its pod's metadata are waited for, but not if it was known before."""
        is_pod = self._asks_for_pods and "uid" in found.fields
        known = self.pods.ask(found.key) if is_pod and not saved.fields else {}
        return None if known is None else self._target(found, saved, known)

    def _target(self, found: Found, saved: SavedTarget, known: dict[str, str]) -> Target:
        """A target and its own labels; what was known before stays."""
        scrape = self._scrape
        fields = {"node": os.environ.get("NODE_NAME", "")} | found.fields | known | saved.fields
        constant = {
            **(self._config.clients[0].external_labels if self._config.clients else {}),
            **scrape.static_labels,
            "job": scrape.job_name,
        }
        names = (*scrape.labels, *scrape.pod_labels, *scrape.pod_annotations)
        return Target(found.key, fields, dict(target_labels(names, fields, constant.items())))

    # -- what to tell

    def _destination(self) -> str:
        if self._client:
            return f"to {self._client.url}"
        return "dry run: nothing is sent" if self._options.dry_run else "no client: entries are counted only"

    def _loki(self, sender: Sender | None) -> dict[str, Any]:
        return {"url": self._client.url if self._client else None, "failing": sender.failing if sender else ""}


async def _forever() -> None:
    await asyncio.Event().wait()


async def _forever_fine() -> int:
    await _forever()
    return FINE


def run(config: Config, options: Options) -> int:
    """Run the agent in an event loop of its own; the exit code. SIGTERM and SIGINT end it, a second one at once."""

    async def main() -> int:
        agent = Agent(config, options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop)
        return await agent.run()

    try:
        return asyncio.run(main())
    except OSError as error:
        log.error("%s", error)  # the trouble of the machine, not ours: no traceback
    except Exception:
        log.exception("a part of the agent has failed; this is a bug, please report it")
    return FAILED
