"""The positions file: replaced, never edited.

Beside the offsets it holds what labels depend on, for a line that is sent again must be sent under the same label set.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shipper.metrics import Metrics
from shipper.source.tail.saved import SavedFile

log = logging.getLogger(__name__)

VERSION = 1


class SavedTarget(msgspec.Struct, frozen=True):
    """One target: what it is known by, the streams that were admitted for it, and its files, the oldest first.

    `ended`: nothing was written for so long that its container is taken for ended.
    """

    fields: dict[str, str] = {}
    streams: list[dict[str, str]] = []
    files: list[SavedFile] = []
    ended: bool = False

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
    """The file that outlives the process."""

    def __init__(self, path: Path, metrics: Metrics, *, read_only: bool = False) -> None:
        self._path, self._metrics, self._read_only = path, metrics, read_only
        self._writing = threading.Lock()  # a save that was cancelled is still written to its end
        self._is_failing = False

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
            saved = msgspec.json.decode(text, type=_Saved)
            if saved.version == VERSION:
                return saved.targets
            problem = f"version {saved.version}, this program writes {VERSION}"
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            problem = str(error)
        self._set_aside(problem)
        return {}

    async def save(self, targets: Mapping[str, msgspec.Raw]) -> bool:
        """Replace the file; False when that failed: the next save has all of it again."""
        if self._read_only:
            return True
        text = msgspec.json.encode({"version": VERSION, "targets": targets})
        try:
            await asyncio.to_thread(self._write, text)
        except OSError as error:
            self._failed(error)
            return False
        self._metrics.positions_saves.labels(outcome="saved").inc()
        if self._is_failing:
            log.info("positions: %s can be written again", self._path)
            self._is_failing = False
        return True

    def _write(self, text: bytes) -> None:
        with self._writing:
            temporary = self._path.with_name(self._path.name + ".tmp")
            with temporary.open("wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)  # a crash leaves the old file or the new one, never half
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def _failed(self, error: OSError) -> None:
        self._metrics.positions_saves.labels(outcome="failed").inc()
        if not self._is_failing:
            log.error("positions: cannot write %s: %s; shipping continues, but a restart now would send lines again; "
                      "retrying", self._path, error.strerror or error)  # fmt: skip
            self._is_failing = True

    def _set_aside(self, problem: str) -> None:
        aside = self._path.with_name(f"{self._path.name}.unreadable-{time.strftime('%Y%m%d-%H%M%S')}")
        log.error("positions: %s cannot be used (%s); set aside as %s and starting without it: lines are sent again, "
                  "none is lost", self._path, problem[:200], aside.name)  # fmt: skip
        if not self._read_only:
            with contextlib.suppress(OSError):
                self._path.replace(aside)
