"""What the files beside a log are called, and which of them is older.

The kubelet writes `<restart>.log`, renames it to `<restart>.log.<YYYYMMDD-HHMMSS>` and gzips the older ones; logrotate
and similar tools number them (`app.log.1`, the higher the older).
"""

import os
import re
import stat
from dataclasses import dataclass

_NAME = re.compile(r"(?P<stem>[^/]+?)\.log(?:\.(?!gz$)(?P<rotated>[^/]+?))?(?P<gz>\.gz)?")
_TIME = re.compile(r"\d{8}-\d{6}")
_UNFINISHED = ("tmp", "temp", "part", "swp")  # endings of files that another program is still writing


@dataclass(frozen=True, slots=True)
class LogName:
    """A log file's name, taken apart."""

    text: str
    stem: str  # `0` of `0.log`: the container's restart count, or in a plain directory the log's own name
    rotated: str  # the rotation's time or number; empty: the file that is written to
    gzipped: bool

    @classmethod
    def parse(cls, text: str) -> "LogName | None":
        """None when this is not a log's name, or one that no label and no JSON could hold."""
        found = _NAME.fullmatch(text)
        if not found or text.startswith(".") or not text.isprintable():
            return None
        rotated = found["rotated"] or ""
        return None if rotated.endswith(_UNFINISHED) else cls(text, found["stem"], rotated, bool(found["gz"]))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A log file as the directory shows it."""

    name: LogName
    identity: tuple[int, int]  # device and inode
    size: int
    modified: int  # ns since 1970
    is_link: bool = False

    @property
    def order(self) -> tuple[int, bool, str, int, int]:
        """Sorts by age, the oldest first: by restart, then rotated ones by their time, the written one last."""
        rotated = self.name.rotated
        number = int(self.name.stem) if self.name.stem.isdecimal() else 0
        when = rotated if _TIME.fullmatch(rotated) else ""
        step = -int(rotated) if rotated.isdecimal() else 0
        return (number, not rotated, when, step, self.modified)


def list_logs(directory: str) -> list[ListedFile]:
    """The log files of a directory, the oldest first; none when it is gone. Raises OSError when it cannot be read."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if (name := LogName.parse(entry.name)) and (listed := _stat(name, entry)):
                    found.append(listed)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda listed: listed.order)


def _stat(name: LogName, entry: os.DirEntry[str]) -> ListedFile | None:
    try:
        status = entry.stat()
    except OSError:  # a dangling link, or gone by now
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    identity = status.st_dev, status.st_ino
    return ListedFile(name, identity, status.st_size, status.st_mtime_ns, entry.is_symlink())
