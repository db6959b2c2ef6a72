"""A container's log, and those who read it by hand or by themselves; nothing is settled before the test says so."""

import asyncio
import base64
import math
import random
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from lab.containerd import LogWriter
from shipper.config import LimitsConfig, PodLogsConfig
from shipper.entries import Entries
from shipper.metrics import Metrics
from shipper.model import Target
from shipper.pipeline.keep import UT
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline
from shipper.source import reader as reader_module
from shipper.source.accounting import Accounting
from shipper.source.discovery.targets import Found, Targets
from shipper.source.follower import Follower, Next, OnSettled
from shipper.source.positions.file import Positions, SavedTarget
from shipper.source.positions.saver import Saver
from shipper.source.positions.snapshot import Snapshot
from shipper.source.reader import Reader
from shipper.source.tail.files import Files
from shipper.source.tail.handles import OpenLog, open_log
from shipper.source.tail.look_back import StartPolicy
from shipper.source.target_set import Describe, OnChange, TargetSet
from shipper.source.timing import Timing

MIB = 1 << 20


def make_pipeline(max_line_size: int = MIB) -> Pipeline:
    return Pipeline(UT, Admission(["termination_details"], 200, 500), [], max_line_size)


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
            self.unsettled += step.entries
            self.parts += step.entries
            lines += [line for part in step.entries for line in part.unpacked().lines]
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

    def restart(self, saved: SavedTarget | None = None, **settings) -> "Following":
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


@pytest.fixture
def log(tmp_path):
    with LogWriter(tmp_path) as writer:
        yield writer


@pytest.fixture(scope="session")
def any_following():
    """For many followers in one test."""
    return Following


@pytest.fixture
def follow():
    """Makes followers, and closes what they hold."""
    made = []

    def make(directory: Path, *args, **settings) -> Following:
        made.append(Following(directory, *args, **settings))
        return made[-1]

    yield make
    for following in made:
        following.close()


@pytest.fixture
def following(follow, log):
    return follow(log.directory)


def by_path(found: Found, saved: SavedTarget) -> Target:
    """A target with the fields that its path tells, or that were saved."""
    return Target(found.key, found.fields | saved.fields, {})


class Reading:
    """A Reader at work, and all that it has handed on."""

    def __init__(
        self,
        root: Path,
        limits: LimitsConfig,
        *,
        settles: bool = True,
        describe: Describe = by_path,
        saved: Mapping[str, SavedTarget] | None = None,
        timing: Timing,
    ) -> None:
        self.metrics = Metrics()
        self.told: list[bool | str] = []  # what the sink hears beside entries
        self.settles = settles
        self.parts: list[Entries] = []
        self.unsettled: list[Entries] = []
        self._changed = asyncio.Event()
        config = PodLogsConfig(root=str(root), containers=("istio-proxy",))
        pipeline, accounting = make_pipeline(), Accounting(self.metrics)
        self.snapshot = Snapshot(pipeline.admission, saved or {})

        def target_set(on_change: OnChange, on_settled: OnSettled) -> TargetSet:
            return TargetSet(
                lambda watch: Targets(root, config, watch),
                pipeline,
                describe,
                StartPolicy(math.inf),
                accounting,
                self.snapshot,
                saved or {},
                timing,
                on_change,
                on_settled,
            )

        saver = Saver(Positions(root / "positions.json", self.metrics), self.snapshot)  # not run: nothing is written
        self.reader = Reader(target_set, self, saver, self.snapshot, pipeline.admission, limits, accounting)
        self._turn, self.reader._turn = self.reader._turn, self._observed_turn

    async def _observed_turn(self, follower: Follower) -> None:
        await self._turn(follower)
        self._changed.set()

    def put(self, part: Entries) -> None:
        self.parts.append(part)
        self.unsettled.append(part)
        if self.settles:
            self.settle()
        self._changed.set()

    def push_fullest(self) -> None:
        self.told.append("full")

    def backlog(self, more: bool) -> None:
        self.told.append(more)

    def settle(self, parts: Iterable[Entries] | None = None) -> None:
        for part in list(self.unsettled if parts is None else parts):
            self.unsettled.remove(part)
            part.ticket.owner.settled(part, 0)
        self._changed.set()

    @property
    def lines(self) -> list[bytes]:
        return [line for part in self.parts for line in part.unpacked().lines]

    @property
    def saved(self) -> dict[str, SavedTarget]:
        """What a restart would be told."""
        return {key: msgspec.json.decode(text, type=SavedTarget) for key, text in self.snapshot.encoded().items()}

    async def until(self, is_so: Callable[[], object]) -> None:
        """Wait for something that a turn of the reader or an answer brings about."""
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
        try:
            yield self
        finally:
            self.reader.stop()
            async with asyncio.timeout(20):
                await task


@pytest.fixture(scope="session")
def any_reading():
    """Makes readers of any directory."""

    def make(
        root: Path, *, settles: bool = True, describe: Describe = by_path, saved=None, timing=None, **limits
    ) -> Reading:
        timing = timing or Timing()
        return Reading(root, LimitsConfig(**limits), settles=settles, describe=describe, saved=saved, timing=timing)

    return make


@pytest.fixture
def reading(tmp_path, any_reading, request):
    """Makes readers of the directory."""
    timing = Timing(quiet=0, partial_quiet=0) if "impatient" in request.fixturenames else Timing()
    return lambda root=tmp_path, **settings: any_reading(root, timing=timing, **settings)


@pytest.fixture
def impatient(monkeypatch):
    """Time that a reader lets pass is short."""
    monkeypatch.setattr(reader_module, "TICK", 0.01)


Kept = Callable[..., bytes]
"""Makes kept lines, as `kept_line` does."""


def kept_line(number: int, size: int = 0) -> bytes:
    """A line that is kept, of so many bytes at least, of which none can be saved by compression."""
    line = b'{"response_flags":"UT","number":%d}' % number
    if (missing := size - len(line) - 13) <= 0:
        return line
    padding = base64.b64encode(random.Random(number).randbytes(missing))[:missing]
    return line[:-1] + b',"padding":"' + padding + b'"}'


@pytest.fixture(scope="session")
def kept():
    """Makes lines that are kept."""
    return kept_line
