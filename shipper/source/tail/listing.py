"""What a directory shows: the files of each log in it, listed once for all logs that are there.

A plain directory may hold a thousand logs. If each of them listed it, one look at all would cost a million names.
"""

import os
import stat
from dataclasses import dataclass, field
from typing import Final

from shipper.source.tail.names import ListedFile, LogName, packed_stem

FRESH: Final = 0.25  # seconds for which a listing serves others, unless something is known to have happened


@dataclass(slots=True)
class Shown:
    """The files of one log, or of all logs in a directory."""

    files: list[ListedFile] = field(default_factory=list)  # the oldest first
    links: dict[str, tuple[int, int] | None] = field(
        default_factory=dict
    )  # names, and what they lead to; None: nothing
    packed: list[str] = field(default_factory=list)  # names of rotated files in a compression that is not read


class Listing:
    """One directory, as it was listed last."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._by_stem: dict[str | None, Shown] | None = (
            None  # None: it is not known what is there; all of it under None
        )
        self._listed_at = 0.0
        self._served: set[str | None] = set()  # stems: each listing serves each log once

    def expire(self) -> None:
        """Something may have come, gone, or been renamed."""
        self._by_stem = None

    def shown(self, stem: str | None, now: float) -> Shown:
        """The files of this stem, or all; none when the directory is gone. `now`: monotonic. Raises OSError."""
        if self._by_stem is None or stem in self._served or not 0 <= now - self._listed_at < FRESH:
            self._by_stem, self._listed_at = _by_stem(self._directory), now
            self._served.clear()
        self._served.add(stem)
        return self._by_stem.get(stem) or Shown()


def _by_stem(directory: str) -> dict[str | None, Shown]:
    everything = Shown()
    found: dict[str | None, Shown] = {None: everything}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if name := LogName.parse(entry.name):
                    one = found.setdefault(name.stem, Shown())
                    _note(name, entry, one, everything)
                elif (stem := packed_stem(entry.name)) is not None:
                    everything.packed.append(entry.name)
                    found.setdefault(stem, Shown()).packed.append(entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return found
    for shown in found.values():
        if len(shown.files) > 1:
            shown.files.sort(key=lambda listed: listed.order)
    return found


def _note(name: LogName, entry: os.DirEntry[str], *shown: Shown) -> None:
    listed: ListedFile | None = None
    try:
        status = entry.stat()
        if stat.S_ISREG(status.st_mode):
            listed = ListedFile(name, (status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns)
    except OSError:  # a dangling link, or gone by now
        pass
    is_link = entry.is_symlink()
    for one in shown:
        if listed is not None:
            one.files.append(listed)
        if is_link:
            one.links[entry.name] = listed.identity if listed is not None else None
