"""What the files beside a log are called, and which of them is older.

The kubelet writes `<restart>.log`, renames it to `<restart>.log.<YYYYMMDD-HHMMSS>` and gzips the older ones; logrotate
and its kin number them (`app.log.1`, the higher the older).
"""

import os
import re
import stat
from dataclasses import dataclass

_NAME = re.compile(r"(?P<stem>[^/]+?)\.log(?:\.(?!gz$)(?P<rotated>[^/]+?))?(?P<gz>\.gz)?")
_TIME = re.compile(r"\d{8}-\d{6}")
_UNFINISHED = ("tmp", "temp", "part", "swp")  # names of files that another program is still making


@dataclass(frozen=True, slots=True)
class LogName:
    """A log file's name, taken apart."""

    name: str
    stem: str  # `0` of `0.log`: the container's restart count, or in a plain directory what the log is called
    rotated: str  # empty: the one that is written to
    gzipped: bool

    @classmethod
    def parse(cls, name: str) -> "LogName | None":
        """None when this is not a log's name, or one that no label and no JSON could hold."""
        found = _NAME.fullmatch(name)
        if (
            not found
            or name.startswith(".")
            or not name.isprintable()
            or (found["rotated"] or "").endswith(_UNFINISHED)
        ):
            return None
        return cls(name, found["stem"], found["rotated"] or "", bool(found["gz"]))


@dataclass(frozen=True, slots=True)
class Listed:
    """A log file as the directory shows it."""

    log: LogName
    device: int
    inode: int
    size: int
    modified: int  # ns since 1970
    is_link: bool = False

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode."""
        return self.device, self.inode

    @property
    def order(self) -> tuple[int, bool, str, int, int]:
        """Sorts by age, the oldest first: by restart, then rotated ones by their time, the written one last."""
        rotated = self.log.rotated
        number = int(self.log.stem) if self.log.stem.isdecimal() else 0
        when = rotated if _TIME.fullmatch(rotated) else ""
        step = -int(rotated) if rotated.isdecimal() else 0
        return (number, not rotated, when, step, self.modified)


def list_logs(directory: str) -> list[Listed]:
    """The log files of a directory, the oldest first; none when it is gone. Raises OSError when it cannot be read."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if (log := LogName.parse(entry.name)) and (listed := _stat(log, entry)):
                    found.append(listed)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda listed: listed.order)


def _stat(log: LogName, entry: os.DirEntry[str]) -> Listed | None:
    try:
        status = entry.stat()
    except OSError:  # a dangling link, or gone by now
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Listed(log, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, entry.is_symlink())
