"""Builds the parts and starts them: positions, sender, reader, server. How they stop is for `lifecycle`.

Never touches bytes. The positions are saved at last, so nothing that was settled before is sent again.
"""

import asyncio
import contextlib
import gc
import logging
import math
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shipper import __version__
from shipper.config import PEER_LABELS, Config, ScrapeConfig
from shipper.entries import Entries
from shipper.errors import fault
from shipper.fields import LINE_FIELDS
from shipper.kubernetes.timing import API_TIMING, ApiTiming
from shipper.lifecycle import End, run_parts
from shipper.log import counted_entries
from shipper.loop import Loop
from shipper.metrics import Metrics
from shipper.pages.facts import Facts
from shipper.pages.routes import routes
from shipper.pipeline.audit import Audit
from shipper.pipeline.keep import KEEP_RULES
from shipper.pipeline.labels import Admission
from shipper.pipeline.peers import PeerRule
from shipper.pipeline.pipeline import Pipeline
from shipper.pipeline.record import mapped_loads
from shipper.pod_names import app_of
from shipper.server import serving
from shipper.sink.client import Client
from shipper.sink.local import ClosedOutput, Nowhere, Printer
from shipper.sink.quarantine import QuarantineFile
from shipper.sink.schedule import LINGER
from shipper.sink.sender import Sender, nothing_to_save
from shipper.source.accounting import Accounting
from shipper.source.budget import Budget
from shipper.source.deleted import DeletedFiles
from shipper.source.descriptors import Descriptors
from shipper.source.discovery.targets import Found, Targets
from shipper.source.follower import OnSettled
from shipper.source.naming import Naming
from shipper.source.peer_wait import PeerWait
from shipper.source.pod_fields import fields_from
from shipper.source.pods import Pods
from shipper.source.positions.file import Positions, SavedTarget
from shipper.source.positions.saver import Saver
from shipper.source.positions.snapshot import Snapshot
from shipper.source.reader import Reader, Sink
from shipper.source.status import Status
from shipper.source.stdin import StdinReader
from shipper.source.tail.look_back import StartPolicy
from shipper.source.target_set import OnChange, TargetSet
from shipper.source.timing import Timing
from shipper.tap.access import Access
from shipper.tap.border import Tap
from shipper.terminal import discard_output
from shipper.times import SECOND, rfc3339

if TYPE_CHECKING:
    from shipper.kubernetes.client import Connect
    from shipper.peers.from_pods import PodsFile
    from shipper.peers.questions import Questions
    from shipper.source.workloads import NodeWorkloads

log = logging.getLogger(__name__)

BeforePush = Callable[[Sequence[Entries]], Awaitable[None]]

FINE, FAILED, UNDELIVERED = 0, 1, 3  # exit codes; 2 is usage and configuration


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for beside the configuration."""

    once: bool = False
    dry_run: bool = False
    dry_run_resumes: bool = False  # it begins where the positions are; else at the beginning of the logs
    stdin: bool = False
    stdin_fields: Mapping[str, str] = field(default_factory=dict)  # namespace, pod, app of what is piped in
    pods: "PodsFile | None" = None  # tells whose an address was, in place of a directory
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
        linger: float = LINGER,
        connect: "Connect | None" = None,
        api_timing: ApiTiming = API_TIMING,
    ) -> None:
        """`linger`: see `Sender`. `connect` and `api_timing`: how and when the Kubernetes API is asked.

        `connect` is `client.connected` if it is None.
        """
        self._config, self._options = config, options
        self._linger, self._connect, self._api_timing = linger, connect, api_timing
        self._scrape, limits = _with_peers(config.scrape_configs[0], options), config.limits_config
        self._client = config.clients[0] if config.clients and not options.dry_run else None
        self.metrics = metrics or Metrics()
        timing = timing or Timing()
        self._timing = timing.checking_within(float(self._client.batchwait)) if self._client else timing
        self._stopping = asyncio.Event()
        self.status: Status | None = None  # of the logs, while they are read
        names = [name for name in self._scrape.labels if name in LINE_FIELDS]
        self._admission = Admission(names, limits.max_label_values, limits.max_streams)
        self._node = os.environ.get("NODE_NAME", "")
        self._asks_for_pods = self._scrape.kubernetes and bool(self._node)
        self.workloads = self._workloads()
        self._peers = self._who_knows_peers()
        peers = self._scrape.peers
        self._peer_wait = PeerWait(self._peers.learn, float(peers.timeout)) if self._peers else None
        self._pipeline = Pipeline(
            KEEP_RULES[self._scrape.keep],
            self._admission,
            self._scrape.structured_metadata,
            limits.max_line_size,
            Audit() if self._scrape.count_failures else None,
            mapped_loads(self._scrape.fields),
            self.workloads,
            PeerRule(self._peers, peers.timeouts) if self._peers else None,
        )
        self._accounting = Accounting(self.metrics, ships=self._client is not None)
        self._access = Access(config.server)
        self._budget = Budget(limits.max_in_flight_bytes)
        self.pods = Pods(fields_from(self._scrape), self.metrics, api_timing, workloads=self.workloads)
        external_labels = config.clients[0].external_labels if config.clients else {}
        ask_pod = self.pods.ask if self._asks_for_pods else None
        self._naming = Naming(self._scrape, external_labels, self._node, ask_pod)

    def _workloads(self) -> "NodeWorkloads | None":
        """Who knows the pods that a log speaks for, where the API is asked for them."""
        if not self._asks_for_pods:
            return None
        from shipper.source.workloads import NodeWorkloads  # late, for those who ask

        return NodeWorkloads(self._node, os.environ.get("NODE_IP", ""), self._api_timing.remember_deleted)

    def _who_knows_peers(self) -> "Questions | PodsFile | None":
        """Who is asked whose an address was."""
        if self._options.pods is not None or not self._scrape.peers.url:
            return self._options.pods
        from shipper.peers.questions import questions  # late, for those who ask

        return questions(self._scrape.peers, self.metrics)

    def _asking(self) -> contextlib.AbstractAsyncContextManager[None]:
        """The directory is asked while the context lasts."""
        return self._peers.running() if self._peers else contextlib.nullcontext()

    def stop(self) -> None:
        """End in order; when that was asked for already, at once."""
        if self._stopping.is_set():
            os._exit(FAILED)
        self._stopping.set()

    async def run(self) -> int:
        """Run to the end; the exit code. A part that fails ends it: its error is in an ExceptionGroup."""
        log.info("shipper %s: keep %s, %s", __version__, self._scrape.keep, self._destination())
        code = await (self._run_stdin() if self._options.stdin else self._run_logs())
        self._accounting.notices.unshipped()
        log.info("ledger: %s", self._ledger())
        return code

    def _ledger(self) -> str:
        """Lines and entries so far; a dry run sends nothing."""
        ledger = self.metrics.ledger()
        if self._options.dry_run:
            return "{read} lines read: {sent} would be sent, {filtered} filtered, {dropped} dropped".format_map(ledger)
        return " ".join(f"{name}={amount}" for name, amount in ledger.items())

    # -- the two ways to read

    async def _run_logs(self) -> int:
        timing = self._timing
        positions = Positions(
            Path(self._config.positions.filename),
            self.metrics,
            read_only=self._options.dry_run,
            patience=timing.write_patience,
        )
        saved = {} if self._starts_over else await positions.loaded(self._stopping)
        if saved is None:
            return FINE
        snapshot = Snapshot(self._admission, self._pipeline.answers, saved)
        saver = Saver(
            positions, snapshot, after_settling=timing.save_after_settling, after_reading=timing.save_after_reading
        )
        async with AsyncExitStack() as parts:
            sink, sender = await parts.enter_async_context(self._sinking(saver.before_push))
            tap = Tap(sink.put, sink.push_fullest, sink.backlog) if self._access.is_possible else None
            await parts.enter_async_context(self._asking())
            reader = self._reader(tap or sink, saver, snapshot, saved)
            await self._start_surroundings(parts, reader, sender, positions, tap)
            gc.freeze()  # what is there now stays: no collection needs to look at it again
            gc.set_threshold(50_000)  # entries are no garbage: they go when they are settled
            reading = reader.run(once=self._options.once)
            code = await self._run_parts(reading, sender, saver.run(), ends=self._options.once)
        await saver.save()
        return code

    async def _run_stdin(self) -> int:
        fields = dict(self._options.stdin_fields)
        if "pod" in fields:
            fields.setdefault("app", app_of(fields["pod"]))
        target = self._naming.target(Found("stdin", "", None, fields), SavedTarget(), {})
        async with self._sinking(nothing_to_save) as (sink, sender), self._asking():
            source = StdinReader(
                sys.stdin.fileno(), target, self._pipeline, sink, self._budget, self._accounting, self._peer_wait
            )
            return await self._run_parts(source.run(), sender, ends=True)

    async def _run_parts(
        self,
        reading: Coroutine[Any, Any, None],
        sender: Sender | None,
        saving: Coroutine[Any, Any, None] | None = None,
        *,
        ends: bool,
    ) -> int:
        """Run until a signal comes or, where reading `ends`, all is settled; the exit code."""
        patience = self._options.patience if ends else None
        end = await run_parts(reading, sender, saving, stopping=self._stopping, patience=patience)
        if end is End.GAVE_UP and sender:
            log.error("gave up: Loki has settled nothing for %.0f s; pending: %s (%s); the next run sends them",
                      sender.stuck_for, counted_entries(sender.pending), sender.failing or "held")  # fmt: skip
            return UNDELIVERED
        if end is not End.DELIVERED:
            return FINE
        if self.metrics.failed_reads():
            log.error('not all could be read, see "cannot read" and "cannot list" above: what is there was not shipped')
            return UNDELIVERED
        return UNDELIVERED if self._client and self.metrics.ledger()["dropped"] else FINE

    @property
    def _starts_over(self) -> bool:
        """Whether all that is there is read, whatever the positions and the look-back say."""
        return self._options.dry_run and not self._options.dry_run_resumes

    # -- parts

    def _reader(self, sink: Sink, saver: Saver, snapshot: Snapshot, saved: Mapping[str, SavedTarget]) -> Reader:
        scrape, limits = self._scrape, self._config.limits_config

        def target_set(on_change: OnChange, on_settled: OnSettled) -> TargetSet:
            return TargetSet(
                Targets(Path(scrape.pod_logs.root), scrape.pod_logs),
                self._pipeline,
                self._naming,
                StartPolicy(math.inf if self._starts_over else self._config.positions.look_back),
                self._accounting,
                snapshot,
                saved,
                self._timing,
                on_change,
                on_settled,
            )

        return Reader(
            target_set,
            sink,
            saver,
            self._accounting,
            self._budget,
            Descriptors(limits.open_files),
            limits.max_line_size,
            deleted=DeletedFiles(limits.max_deleted_bytes, limits.max_deleted_percent),
            timing=self._timing,
            peer_wait=self._peer_wait,
        )

    @contextlib.asynccontextmanager
    async def _sinking(self, before_push: BeforePush) -> AsyncIterator[tuple[Sink, Sender | None]]:
        """The sink, as configured, and the sender if it is one."""
        if self._client is None:
            if self._options.dry_run:
                from shipper import dry_run  # late: explain and all that it says

                printer = Printer(dry_run.output(sys.stdout, mapped_loads(self._scrape.fields)), self.metrics)
                yield printer, None
                printer.backlog(False)
            else:
                yield Nowhere(self.metrics), None
            return
        quarantine = None
        if self._client.on_reject == "quarantine":
            path = self._client.quarantine_file or Path(self._config.positions.filename).with_name("quarantine.jsonl")
            quarantine = QuarantineFile(Path(path), self.metrics).write
        async with Client(self._client, self.metrics) as client:
            sender = Sender(
                self._client,
                client.push,
                self.metrics,
                before_push=before_push,
                quarantine=quarantine,
                linger=self._linger,
            )
            yield sender, sender

    async def _start_surroundings(
        self, parts: AsyncExitStack, reader: Reader, sender: Sender | None, positions: Positions, tap: Tap | None
    ) -> None:
        """Start what asks the Kubernetes API, and what serves HTTP."""
        if self._asks_for_pods:
            from shipper.source.pod_watch import following_pods  # late: 30 ms, for those who ask

            watch = following_pods(
                self._node, self.pods, self.metrics, reader.ask_again, self._connect, self._api_timing
            )
            await parts.enter_async_context(watch)
        elif self._scrape.kubernetes:
            log.error(
                "kubernetes: NODE_NAME is not set, so the API is not asked and pods are labelled from their log path; "
                "set it from spec.nodeName"
            )
        status = self.status = Status(reader, self._admission)
        self.metrics.registry.register(status)
        if self._options.dry_run:  # it may run beside an agent that has the port
            return

        def describe() -> dict[str, Any]:
            saves = {"filename": self._config.positions.filename, "failing": positions.failing}
            return {"loki": self._told_of_loki(sender), "positions": saves, "targets": status.targets()}

        facts = Facts(
            self._config,
            self.metrics,
            self._node,
            self._asks_for_pods,
            describe,
            lambda: reader.is_ready,
            lambda: self._budget.pending,
            mapped_loads(self._scrape.fields),
            self._access,
            tap,
        )
        await parts.enter_async_context(serving(self._config.server, routes(facts), tap.close if tap else None))

    def _told_of_loki(self, sender: Sender | None) -> dict[str, Any]:
        """What Loki says, for /targets; times are RFC 3339, empty where there is none."""

        def ago(seconds: float) -> str:
            return rfc3339(int((time.time() - seconds) * SECOND)) if 0 < seconds < math.inf else ""

        return {
            "url": self._client.url if self._client else None,
            "failing": sender.failing if sender else "",
            "failing_since": ago(sender.failing_for) if sender else "",
            "last_stored": ago(sender.stored_ago) if sender else "",
            "failing_streams": sender.failing_streams if sender else {},
        }

    def _destination(self) -> str:
        if self._client:
            return f"to {self._client.url}"
        return "dry run: nothing is sent" if self._options.dry_run else "no client: entries are counted only"


def _with_peers(scrape: ScrapeConfig, options: Options) -> ScrapeConfig:
    """The same, with the labels of peers where a file tells who they are."""
    if options.pods is None:
        return scrape
    return replace(scrape, labels=tuple(dict.fromkeys((*scrape.labels, *PEER_LABELS))))


def run(config: Config, options: Options, make_loop: Callable[[], asyncio.AbstractEventLoop] = Loop) -> int:
    """Run the agent in an event loop of its own; the exit code. SIGTERM and SIGINT end it, a second one at once."""

    async def main() -> int:
        agent = Agent(config, options)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop)
        return await agent.run()

    code = FAILED
    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(main())
    except* ClosedOutput:  # `| head` has seen enough
        discard_output()
        code = FINE
    except* OSError as group:
        for error in _leaves(group):
            log.error("%s", fault(error).text)  # an error of the machine, not a bug: no traceback
    except* Exception:
        log.exception("a part of the agent has failed; this is a bug, please report it")
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The exceptions in a group and its groups."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
