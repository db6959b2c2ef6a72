"""The positions file: what stands in it, and whether it can be saved.

Beside the offsets it holds what labels depend on, for a line that is sent again must be sent under the same label set.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from shipper.log import MINUTE, Seldom
from shipper.metrics import Metrics
from shipper.pipeline.answers import SavedAnswer
from shipper.source.positions.writing import lines_newest_first, write_line
from shipper.source.tail.saved import SavedFile
from shipper.threads import in_thread

log = logging.getLogger(__name__)

VERSION = 1
REPEATED: Final = 10 * MINUTE  # a disk may be slow for each save


class SavedTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """One target: what it is known by, the streams that were admitted for it, and its files, the oldest first.

    `answers`: what was answered about the workloads that its lines speak for, see `pipeline/answers`.

    `ended`: nothing was written for so long that its container is taken for ended.
    `since`: ns since 1970; while it has no files, the first ones are read from there. 0: from their beginning.
    """

    fields: dict[str, str] = {}
    streams: list[dict[str, str]] = []
    files: list[SavedFile] = []
    ended: bool = False
    since: int = 0
    answers: dict[str, list[SavedAnswer]] = {}

    @property
    def unread(self) -> int:
        """Bytes that were there and not shipped."""
        return sum(file.unread for file in self.files)

    def encoded(self) -> msgspec.Raw:
        """As it stands in the file: so that a save has to encode only what has changed."""
        return msgspec.Raw(msgspec.json.encode(self))


class _Saved(msgspec.Struct, frozen=True):
    version: int
    targets: dict[str, SavedTarget]


class Positions:
    """The file that outlives the process. At most one write is under way; one that hangs holds up nothing but saves."""

    def __init__(
        self,
        path: Path,
        metrics: Metrics,
        *,
        read_only: bool = False,
        patience: float = 2.0,
        write: Callable[[Path, bytes], None] = write_line,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience`: seconds for which a save waits for the disk. `write` may block for ever, and raises OSError."""
        self._path, self._metrics, self._read_only = path, metrics, read_only
        self._patience, self._write, self._clock = patience, write, clock
        self._under_way: asyncio.Future[None] | None = None  # a save that was cancelled is still written to its end
        self._begun = 0.0
        self._error = ""
        self._reports = Seldom(clock)
        metrics.positions_write_age.set_function(lambda: self.write_age)

    @property
    def write_age(self) -> float:
        """Seconds since the write under way began; 0 when there is none."""
        return self._clock() - self._begun if self._under_way else 0.0

    @property
    def failing(self) -> str:
        """Why positions are not saved; empty while they are."""
        if self._hangs:
            return f"a write has not returned for {self.write_age:.0f} s"
        return self._error

    async def loaded(self, stopping: asyncio.Event) -> dict[str, SavedTarget] | None:
        """What was saved, however long the disk takes; None when it hangs and `stopping` is set."""
        loading = in_thread(self.load)
        await asyncio.wait({loading}, timeout=self._patience)
        if not loading.done():
            log.error("positions: reading %s takes more than %g s; no log is read before; check its disk",
                      self._path, self._patience)  # fmt: skip
            stop = asyncio.ensure_future(stopping.wait())
            either: set[asyncio.Future[Any]] = {loading, stop}
            await asyncio.wait(either, return_when="FIRST_COMPLETED")
            stop.cancel()
        return loading.result() if loading.done() else None

    def load(self) -> dict[str, SavedTarget]:
        """What was saved, by target; a file that cannot be used is set aside, logged, and done without."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            log.error("positions: cannot read %s: %s; starting without them, so lines may be sent again",
                      self._path, error.strerror or error)  # fmt: skip
            return {}
        try:
            saved = _decoded(text)
            if saved.version == VERSION:
                return saved.targets
            problem = f"version {saved.version}, this program writes {VERSION}"
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = str(error)
        self._set_aside(problem)
        return {}

    async def save(self, targets: Mapping[str, msgspec.Raw]) -> bool:
        """Write the file; False when that failed or takes too long: the next save has all of it again."""
        if self._read_only:
            return True
        if not await self._returned():
            return False
        write = in_thread(
            partial(self._write, self._path, msgspec.json.encode({"version": VERSION, "targets": targets}))
        )
        self._under_way, self._begun = write, self._clock()
        write.add_done_callback(self._ended)
        if not await self._returned():
            return False
        if (error := write.exception()) and not isinstance(error, OSError):
            raise error
        return error is None

    # -- the write under way

    @property
    def _hangs(self) -> bool:
        return self._under_way is not None and self.write_age >= self._patience

    async def _returned(self) -> bool:
        """Wait until no write is under way, but not for one that hangs."""
        if self._under_way and not self._hangs:
            await asyncio.wait({self._under_way}, timeout=self._patience - self.write_age)
        if not self._under_way:
            return True
        if self._reports.due("hangs", REPEATED):
            log.error("positions: writing %s takes more than %g s; shipping continues, but a restart now would send "
                      "lines again; check its disk", self._path, self._patience)  # fmt: skip
        return False

    def _ended(self, write: asyncio.Future[None]) -> None:
        self._under_way = None
        error = write.exception()
        self._metrics.positions_saves.labels(outcome="failed" if error else "saved").inc()
        told = error.strerror if isinstance(error, OSError) else None
        was_failing, self._error = bool(self._error), str(told or error or "")
        if not error and self._reports.over():
            log.info("positions: %s can be written again", self._path)
        elif error and not was_failing and self._reports.due("fails"):
            log.error("positions: cannot write %s: %s; shipping continues, but a restart now would send lines again; "
                      "retrying", self._path, self._error)  # fmt: skip

    def _set_aside(self, problem: str) -> None:
        real = Path(os.path.realpath(self._path))
        aside = real.with_name(f"{real.name}.unreadable-{time.strftime('%Y%m%d-%H%M%S')}")
        fate = f"set aside as {aside.name}"
        if not self._read_only:
            try:
                real.replace(aside)
            except OSError as error:
                fate = f"it cannot be set aside ({error.strerror}), the next save overwrites it"
        log.error("positions: %s cannot be used (%s); %s and starting without it: lines are sent again, none is lost",
                  self._path, problem[:200], fate)  # fmt: skip


def _decoded(text: bytes) -> _Saved:
    """What a file holds; of one that was written in place when the agent was killed, what its last whole line does."""
    try:
        return msgspec.json.decode(text, type=_Saved)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        for line in lines_newest_first(text):
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                return msgspec.json.decode(line, type=_Saved)
        raise
