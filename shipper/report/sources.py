"""What is named on the command line to logs: files, directories, archives, a pipe.

A directory is read as the agent reads one: the kubelet's layout or a part of it, an unpacked `istioctl bug-report`;
else every file below it. Knows names and bytes, nothing of what a line means.
"""

import gzip
import io
import sys
import tarfile
import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Final, cast

from shipper.config import ConfigError, PodLogsConfig
from shipper.reading.content import wide_encoding
from shipper.reading.documents import opens_document
from shipper.reading.frame import without_colors
from shipper.reading.units import opens_list, opens_object
from shipper.report.whose import fields_of_path, pod_key
from shipper.source.discovery.targets import Found, Targets
from shipper.source.tail.names import ListedFile, LogName

STDIN: Final = "-"
DAMAGED: Final = (OSError, EOFError, zlib.error, tarfile.TarError)
"""What reading a file can raise: a disk that fails, or an archive that is cut off."""

_GZIP: Final = b"\x1f\x8b"
_TAR_AT: Final = 257  # where a tar archive says that it is one
_HEAD: Final = 512


@dataclass(frozen=True, slots=True)
class Log:
    """One file of a log, open; what it is called, and what its path tells."""

    name: str
    pod: str  # names the container whose log it is: one for all its files
    fields: Mapping[str, str]
    file: io.BufferedReader
    spans_lines: bool  # a list, JSON over several lines, YAML, or UTF-16: more than a line must be read to know one


@dataclass(frozen=True, slots=True)
class Unopened:
    """A file that cannot be read, and why."""

    name: str
    error: str


def logs_of(paths: list[str]) -> Iterator[Log | Unopened]:
    """Every log below the paths. Each must be read before the next is asked for. Raises ConfigError for a path that
    leads nowhere."""
    for path in paths:
        if path == STDIN:
            yield from _of_file(sys.stdin.buffer, "standard input", {})
        elif Path(path).is_dir():
            yield from _of_directory(Path(path))
        else:
            yield from _of_path(Path(path), fields_of_path(path), must_exist=True)


def _of_directory(root: Path) -> Iterator[Log | Unopened]:
    targets = Targets(root, PodLogsConfig())
    try:
        found = list(targets.scan(lambda _: None))
    except OSError as error:
        raise ConfigError(f"report: {root}: {error.strerror}") from error
    for target in found:
        for path in _files(target):
            yield from _of_path(path, target.fields)
    for directory, denied in targets.unreadable.items():
        yield Unopened(directory, denied.strerror or str(denied))
    if not found:
        files = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("."))
        if not files:
            raise ConfigError(f"report: {targets.why_none()}")
        for path in files:
            yield from _of_path(path, fields_of_path(str(path)))


def _files(target: Found) -> list[Path]:
    """The files of a log, the oldest first."""
    listed = []
    for path in Path(target.directory).iterdir():
        name = LogName.parse(path.name)
        if name and target.stem in (None, name.stem) and path.is_file():
            status = path.stat()
            listed.append(ListedFile(name, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns))
    return [Path(target.directory) / one.name.text for one in sorted(listed, key=lambda one: one.order)]


def _of_path(path: Path, fields: Mapping[str, str], *, must_exist: bool = False) -> Iterator[Log | Unopened]:
    try:
        file = path.open("rb")
    except OSError as error:
        if must_exist:
            raise ConfigError(f"report: {path}: {error.strerror}") from error
        yield Unopened(str(path), error.strerror or str(error))
        return
    with file:
        yield from _of_file(file, str(path), fields)


def _of_file(file: IO[bytes], name: str, fields: Mapping[str, str]) -> Iterator[Log | Unopened]:
    """A log, compressed or not; an archive's logs."""
    try:
        peekable = _peekable(file)
        while peekable.peek(2)[:2] == _GZIP:
            peekable = io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=peekable)), 1 << 16)
        if peekable.peek(_HEAD)[_TAR_AT : _TAR_AT + 5] == b"ustar":
            yield from _of_archive(peekable, name)
            return
        head = peekable.peek(1)
    except DAMAGED as error:
        yield Unopened(name, damage(error))
        return
    yield Log(name, pod_key(fields) or name, fields, peekable, _spans_lines(head))


def _spans_lines(head: bytes) -> bool:
    """Whether what begins so is no log of one line each."""
    if wide_encoding(head):
        return True
    line, newline, _ = without_colors(head.removeprefix(BOM_UTF8)).partition(b"\n")
    return opens_list(line) or opens_document(line.rstrip(b"\r")) or (bool(newline) and opens_object(line))


def _of_archive(file: IO[bytes], name: str) -> Iterator[Log | Unopened]:
    """The proxies' logs of an archive whose names tell them, such as that of `istioctl bug-report`."""
    seen = 0
    try:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                fields = fields_of_path(member.name) if member.isfile() else {}
                is_wanted = fields.get("container") in PodLogsConfig().containers
                if is_wanted and LogName.parse(PurePath(member.name).name) and (inner := archive.extractfile(member)):
                    seen += 1
                    yield from _of_file(inner, f"{name}:{member.name}", fields)
    except DAMAGED as error:
        yield Unopened(name, damage(error))
        return
    if not seen:
        yield Unopened(name, "an archive without a log of a proxy (proxies/<namespace>/<pod>/istio-proxy.log)")


def _peekable(file: IO[bytes]) -> io.BufferedReader:
    return file if isinstance(file, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", file), 1 << 16)


def damage(error: BaseException) -> str:
    """Why a file could not be read to its end."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or "it is cut off"
