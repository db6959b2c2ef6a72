"""What the files beside a log are called, and which of them is older.

The kubelet writes `<restart>.log`, renames it to `<restart>.log.<YYYYMMDD-HHMMSS>` and gzips the older ones; logrotate
and similar tools number them (`app.log.1`, the higher the older) or date them (`app.log-20261129`, `app-20261129.log`,
`app.2026-11-29.log`).
"""

import re
from dataclasses import dataclass

_DATE = r"(?P<date>\d{4}(?P<dash>-?)\d\d(?P=dash)\d\d(?:\d\d)?(?:[-.]\d+)?)"  # before the ending, as a tool may put it
_ROTATED = r"(?:(?:\.(?!gz$)|[-_](?=\d))(?P<rotated>[^/]+?))?"
_NAME = re.compile(rf"(?P<stem>[^/]+?)(?:[-._]{_DATE}\.log|\.log{_ROTATED})(?P<gz>\.gz)?")
_TIME = re.compile(r"\d{4}-?\d\d-?\d\d.*")  # a date first, or seconds since 1970; a number has fewer digits
_UNFINISHED = ("tmp", "temp", "part", "swp")  # endings of files that another program is still writing
_PACKED = ("7z", "Z", "br", "bz2", "lz", "lz4", "lzma", "lzo", "rar", "sz", "tar", "tgz", "xz", "zip", "zst", "zstd")


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
        rotated = found["rotated"] or found["date"] or ""
        is_other = rotated.endswith(_UNFINISHED) or rotated.rpartition(".")[2] in _PACKED
        return None if is_other else cls(text, found["stem"], rotated, bool(found["gz"]))

    def __str__(self) -> str:
        return self.text


def packed_stem(text: str) -> str | None:
    """The stem of a rotated log that is compressed in a way that cannot be read here; None: it is something else."""
    name, _, ending = text.rpartition(".")
    return log.stem if ending in _PACKED and (log := LogName.parse(name)) else None


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A log file as the directory shows it."""

    name: LogName
    identity: tuple[int, int]  # device and inode
    size: int
    modified: int  # ns since 1970

    @property
    def order(self) -> tuple[int, bool, str, int, int]:
        """Sorts by age, the oldest first: by restart, then rotated ones by their time, the written one last."""
        rotated = self.name.rotated
        number = int(self.name.stem) if self.name.stem.isdecimal() else 0
        when = rotated if _TIME.fullmatch(rotated) else ""
        step = -int(rotated) if rotated.isdecimal() and not when else 0
        return (number, not rotated, when, step, self.modified)
