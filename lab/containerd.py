"""Writes container logs as containerd and the kubelet do; a test or a benchmark needs nothing else.

<root>/<namespace>_<pod>_<uid>/<container>/<restart>.log, and a line of it:

    2026-11-23T10:30:00.1234567Z stdout F {"response_flags":"UT"}

Knows nothing of what a line means. Facts: containerd internal/cri/io/logger.go, kubelet pkg/kubelet/logs.
"""

import asyncio
import gzip
import os
import shutil
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

PIECE = 16 << 10  # bytes of content a line of the log holds at most; more comes in pieces, P .. P F
SECOND = 10**9  # nanoseconds

StreamName = Literal["stdout", "stderr"]


def rfc3339nano(nanos: int) -> str:
    """A time since 1970 as Go prints it: UTC, trailing zeros of the fraction dropped."""
    second, fraction = divmod(nanos, SECOND)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}{digits}Z"


def cri_line(nanos: int, content: bytes, stream: StreamName = "stdout", tag: str = "F") -> bytes:
    """One line of the log; `content` must hold no newline."""
    return b"%b %b %b %b\n" % (rfc3339nano(nanos).encode(), stream.encode(), tag.encode(), content)


class LogWriter:
    """One container's log on a node, and what the runtime and the kubelet do with its files."""

    def __init__(
        self,
        root: Path,
        *,
        namespace: str = "shop",
        pod: str = "payment-service-7d4b9c6f5d-x2x7k",
        uid: str = "",
        container: str = "istio-proxy",
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.pod_directory = root / f"{namespace}_{pod}_{uid or uuid.uuid4()}"
        self.directory = self.pod_directory / container
        self.restarts = 0
        self._clock = clock
        self._last = self._rotation = 0  # the newest time of a line (ns), of a rotated name (s)
        self.directory.mkdir(parents=True)
        self._file = self.path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The log that is written now."""
        return self.directory / f"{self.restarts}.log"

    def rotated(self) -> list[Path]:
        """The rotated logs of this run of the container, compressed or not, oldest first."""
        return sorted(self.directory.glob(f"{self.path.name}.*"))

    # -- the runtime writes

    def write(self, content: bytes, *, stream: StreamName = "stdout", nanos: int | None = None, tag: str = "F") -> int:
        """Append one line of the container, in pieces if it is long.

        `nanos` is the time of all its pieces; without it each piece has its own, never one that was before.
        Returns the time of the first piece. `tag` is that of the last one.
        """
        cuts = [content[at : at + PIECE] for at in range(0, len(content), PIECE)] or [b""]
        times = [self.now() if nanos is None else nanos for _ in cuts]
        tags = ["P"] * (len(cuts) - 1) + [tag]
        self.write_raw(b"".join(cri_line(at, cut, stream, tag) for at, cut, tag in zip(times, cuts, tags, strict=True)))
        return times[0]

    def write_raw(self, data: bytes) -> None:
        """Append bytes as they are: a torn line, another runtime's."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def now(self) -> int:
        """A time for a line, in nanoseconds since 1970; never the same twice."""
        self._last = max(self._clock(), self._last + 1)
        return self._last

    async def copy(
        self,
        pipe: asyncio.StreamReader,
        stream: StreamName = "stdout",
        tee: Callable[[bytes], object] = len,
    ) -> None:
        """Write what a process prints, until it closes the pipe; `tee` is shown each whole line, once written.

        A last line without a newline is left unfinished (P, and no F follows), as containerd leaves it.
        """
        rest = b""
        while data := await pipe.read(1 << 16):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.write(line.removesuffix(b"\r"), stream=stream)
                tee(line)
        if rest:
            self.write(rest, stream=stream, tag="P")

    # -- the kubelet rotates

    def rotate(self, max_files: int = 5) -> Path:
        """One rotation: older ones are thinned out and compressed, the log is renamed and opened anew.

        Returns the log's new name; it stays uncompressed until the next rotation.
        """
        for path in self.rotated()[: -(max_files - 2) or None]:
            path.unlink()
        for path in self.rotated():
            if path.suffix != ".gz":
                self.compress(path)
        renamed = self.rename()
        self.reopen()
        return renamed

    def rename(self) -> Path:
        """The first half of a rotation: the runtime still writes to the renamed file."""
        self._rotation = max(self.now() // SECOND, self._rotation + 1)  # names must differ, and sort
        moment = datetime.fromtimestamp(self._rotation, UTC)
        return self.path.rename(self.path.with_name(f"{self.path.name}.{moment:%Y%m%d-%H%M%S}"))

    def reopen(self) -> None:
        """The second half of a rotation: from now on lines go to a file at `path`."""
        self._file.close()
        self._file = self.path.open("ab", buffering=0)

    def compress(self, path: Path) -> Path:
        """Replace a rotated log by its .gz, through a temporary name; returns the new name."""
        target, temporary = path.with_name(f"{path.name}.gz"), path.with_name(f"{path.name}.tmp")
        temporary.write_bytes(gzip.compress(path.read_bytes()))
        temporary.rename(target)
        path.unlink()
        return target

    # -- what else happens to a log

    def truncate(self) -> None:
        """Empty the log in place, as copytruncate does; never the kubelet."""
        os.ftruncate(self._file.fileno(), 0)

    def restart(self) -> None:
        """The container runs again and writes the next number's log."""
        self.restarts += 1
        self.reopen()

    def close(self) -> None:
        """The container is gone, its log stays."""
        self._file.close()

    def delete(self) -> None:
        """The pod is gone, and its directory with it."""
        self.close()
        shutil.rmtree(self.pod_directory)
