"""A log and its reader, for tests: a follower driven by hand, and a reader that runs by itself.

Nothing is settled before the test says so.
"""

import asyncio
import base64
import math
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from inotify_simple import INotify

from shipper.config import PodLogsConfig
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.model import Target
from shipper.pipeline.keep import UT
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline
from shipper.source.accounting import Accounting
from shipper.source.budget import Budget
from shipper.source.deleted import DeletedFiles
from shipper.source.descriptors import Descriptors, soft_limit
from shipper.source.discovery.inotify import Watcher
from shipper.source.discovery.targets import Found, Targets
from shipper.source.follower import Follower, Next, OnSettled
from shipper.source.naming import NameTarget
from shipper.source.positions.file import Positions, SavedTarget
from shipper.source.positions.saver import Saver
from shipper.source.positions.snapshot import Snapshot
from shipper.source.reader import Reader
from shipper.source.status import Status
from shipper.source.tail.files import Files
from shipper.source.tail.handles import OpenLog, open_log
from shipper.source.tail.look_back import StartPolicy
from shipper.source.target_set import OnChange, TargetSet
from shipper.source.timing import Timing

MIB = 1 << 20
Kept = Callable[..., bytes]
"""See `kept_line`."""

IMPATIENT = Timing(quiet=0.0, partial_quiet=0.0, tick=0.01)
NO_RESCAN = Timing(rescan=1e9)  # what is found is found by inotify alone


def without_inotify(kinds: int) -> Watcher:
    """As on a node that has no inotify instance left."""

    def refuses() -> INotify:
        raise OSError(24, "Too many open files")

    return Watcher(kinds, refuses)


def make_pipeline(max_line_size: int = MIB) -> Pipeline:
    return Pipeline(UT, Admission(["termination_details"], 200, 500), [], max_line_size)


def kept_line(number: int, size: int = 0) -> bytes:
    """A line that is kept, of so many bytes at least, of which none can be saved by compression."""
    line = b'{"response_flags":"UT","number":%d}' % number
    if (missing := size - len(line) - 13) <= 0:
        return line
    padding = base64.b64encode(random.Random(number).randbytes(missing))[:missing]
    return line[:-1] + b',"padding":"' + padding + b'"}'


def by_path(found: Found, saved: SavedTarget) -> Target | None:
    """A target with the fields that its path tells, or that were saved."""
    return Target(found.key, found.fields | saved.fields, {})


class Following:
    """One Follower, whose turns and whose time are given by hand."""

    def __init__(
        self,
        directory: Path,
        saved: SavedTarget | None = None,
        *,
        stem: str | None = None,
        start_policy: StartPolicy | None = None,
        open_log: OpenLog = open_log,
        buffer: int = MIB,
        max_line_size: int = MIB,
    ) -> None:
        target = Target("target", {}, {})
        self.pipeline = make_pipeline(max_line_size).open(target)
        self.files = Files(
            str(directory), stem, (saved or SavedTarget()).files, start_policy or StartPolicy(math.inf), open_log
        )
        self.follower = Follower(target, self.files, self.pipeline, lambda follower, memory, moved: None, Timing())
        self.stem, self.now = stem, 1000.0
        self.unsettled: list[Entries] = []
        self.parts: list[Entries] = []
        self._buffer = memoryview(bytearray(buffer))
        self.heirs: list[Following] = []

    async def read(self, wait: float = 0.0, *, limit: int = MIB) -> list[bytes]:
        """Let time pass, look at the directory and read all there is; the kept lines that this brought."""
        self.now += wait
        self.files.expire_listing()
        return await self.read_noted(limit=limit)

    def look(self) -> None:
        """Look at the directory, and read nothing."""
        if not self.files.refresh(self.now):
            self.files.expire_listing()

    async def read_noted(self, *, limit: int = MIB) -> list[bytes]:
        """The same without looking at the directory, unless the follower asks for it."""
        lines = []
        for _ in range(2000):
            if self.files.must_list:
                self.look()
            step = await self.follower.step(self._buffer, limit, self.now, 0)
            if step.result is not None and step.ticket is not None:
                entries = self.follower.pack(step.result, step.ticket)
                self.unsettled += entries
                self.parts += entries
                lines += [line for part in entries for line in part.unpacked().lines]
            if step.result is None and step.next is Next.REST:
                return lines
        raise AssertionError("the follower never comes to an end")

    def settle(self, parts: Iterable[Entries] | None = None) -> None:
        """Loki has answered: for all, or for these."""
        for part in list(self.unsettled if parts is None else parts):
            self.unsettled.remove(part)
            part.ticket.owner.settled(part, 0)

    @property
    def saved(self) -> SavedTarget:
        return self.follower.saved([])

    @property
    def committed(self) -> dict[str, int]:
        return {file.name: file.offset for file in self.saved.files}

    def restart(self, saved: SavedTarget | None = None, **settings: Any) -> "Following":
        """Another process goes on with what was saved."""
        self.close()
        heir = Following(Path(self.files.directory), saved or self.saved, stem=self.stem, **settings)
        self.heirs.append(heir)
        return heir

    def close(self) -> None:
        """Give all descriptors back."""
        self.files.close()
        for heir in self.heirs:
            heir.close()


class ObservedReader(Reader):
    """A reader that says when a turn is over."""

    def __init__(self, *arguments: Any, on_turn: Callable[[], None], **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._on_turn = on_turn

    async def turn(self, follower: Follower) -> None:
        await super().turn(follower)
        self._on_turn()


class Reading:
    """A Reader at work, and all that it has handed on: it is the sink."""

    def __init__(
        self,
        root: Path,
        *,
        settles: bool = True,
        name_target: NameTarget = by_path,
        saved: Mapping[str, SavedTarget] | None = None,
        timing: Timing | None = None,
        start_policy: StartPolicy | None = None,
        watcher: Callable[[int], Watcher] = Watcher,
        max_in_flight_bytes: int = 16 * MIB,
        max_deleted_bytes: int = 1024 * MIB,
        open_files: int = 1000,
        process_limit: Callable[[], int] = soft_limit,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self.metrics = Metrics()
        self.settles = settles
        self.parts: list[Entries] = []
        self.unsettled: list[Entries] = []
        self.told: list[bool | str] = []  # what the sink hears beside entries
        self._changed = asyncio.Event()
        self._on_turn = on_turn
        timing, saved = timing or Timing(), saved or {}
        targets = Targets(root, PodLogsConfig(root=str(root), containers=("istio-proxy",)))
        pipeline, accounting = make_pipeline(), Accounting(self.metrics)
        self.admission = pipeline.admission
        self.snapshot = Snapshot(self.admission, pipeline.answers, saved)

        def make(on_change: OnChange, on_settled: OnSettled) -> TargetSet:
            self.target_set = TargetSet(
                targets,
                pipeline,
                name_target,
                start_policy or StartPolicy(math.inf),
                accounting,
                self.snapshot,
                saved,
                timing,
                on_change,
                on_settled,
                watcher,
            )
            return self.target_set

        self.reader = ObservedReader(
            make,
            self,
            Saver(  # not run
                Positions(root / "positions.json", self.metrics), self.snapshot, after_settling=1.0, after_reading=1.0
            ),
            accounting,
            Budget(max_in_flight_bytes),
            Descriptors(open_files, process_limit),
            MIB,
            deleted=DeletedFiles(max_deleted_bytes, 100),
            timing=timing,
            on_turn=self._turned,
        )
        self.status = Status(self.reader, self.admission)

    def _turned(self) -> None:
        self._changed.set()
        self._on_turn()

    # -- the sink

    def put(self, entries: Entries) -> None:
        self.parts.append(entries)
        self.unsettled.append(entries)
        if self.settles:
            self.settle()
        self._changed.set()

    def push_fullest(self) -> None:
        self.told.append("full")
        self._changed.set()

    def backlog(self, more: bool) -> None:
        self.told.append(more)
        self._changed.set()

    def settle(self, parts: Iterable[Entries] | None = None) -> None:
        """Loki has answered: for all, or for these."""
        for part in list(self.unsettled if parts is None else parts):
            self.unsettled.remove(part)
            part.ticket.owner.settled(part, 0)
        self._changed.set()

    # -- what is known of it

    @property
    def lines(self) -> list[bytes]:
        return [line for part in self.parts for line in part.unpacked().lines]

    @property
    def saved(self) -> dict[str, SavedTarget]:
        """What a restart would be told."""
        return {key: msgspec.json.decode(text, type=SavedTarget) for key, text in self.snapshot.encoded().items()}

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something that a turn of the reader, its sink or an answer brings about."""
        async with asyncio.timeout(20):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    @staticmethod
    async def soon(is_so: Callable[[], object]) -> None:
        """Wait for something that shows nowhere else."""
        async with asyncio.timeout(20):
            while not is_so():
                await asyncio.sleep(0)

    async def until_read(self, *lines: bytes) -> None:
        await self.until(lambda: set(lines) <= set(self.lines))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Reading"]:
        """Read while the context lasts."""
        task = asyncio.create_task(self.reader.run())
        task.add_done_callback(lambda _: self._changed.set())
        await asyncio.sleep(0)  # it begins, so that it gives back what it holds
        try:
            yield self
        finally:
            was_running = task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            if not was_running:
                task.result()


MakeFollowing = Callable[..., Following]
MakeReading = Callable[..., Reading]
