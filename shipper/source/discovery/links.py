"""Watches where links lead: a link, or what it leads to, may be exchanged in directories that are not followed.

`/var/log/containers` holds nothing but links, and with Docker the kubelet's logs are links, too. Each entry that
decides where a path leads is watched in its directory; so nothing need be looked at again and again.
"""

import os
from collections.abc import Hashable, Iterator, Mapping
from typing import Final, Generic, TypeVar

from shipper.source.discovery.inotify import Change, Watcher

MOST_LINKS: Final = 40  # on one way, as for the kernel

Owner = TypeVar("Owner", bound=Hashable)
Step = tuple[str, str]
"""A directory, by its real path, and a name in it."""


def way(path: str) -> list[Step]:
    """The entries that decide where a path leads: each link on the way, and the last or the first missing one."""
    steps: list[Step] = []
    whole = path if path.startswith("/") else f"{os.getcwd()}/{path}"  # noqa: PTH109  # called for each link
    at, todo = "/", whole.split("/")[::-1]
    last: Step | None = None
    while todo:
        name = todo.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)  # noqa: PTH120
            continue
        here = f"{at.rstrip('/')}/{name}"
        try:
            target = os.readlink(here)  # noqa: PTH115
        except FileNotFoundError:
            return [*steps, (at, name)]
        except OSError:  # no link
            at, last = here, (at, name)
            continue
        last = None
        steps.append((at, name))
        if len(steps) > MOST_LINKS:
            break
        at = "/" if target.startswith("/") else at
        todo += target.split("/")[::-1]
    return [*steps, last] if last else steps


class Links(Generic[Owner]):
    """Which owners' paths lead over which entries."""

    def __init__(self, changes: Watcher, writes: Watcher) -> None:
        self._changes, self._writes = changes, writes
        self._by_directory: dict[
            str, dict[str, dict[Owner, str]]
        ] = {}  # directory, name in it: whose path, and its name
        self._steps: dict[Owner, list[Step]] = {}

    def watch(self, owner: Owner, paths: Mapping[str, str]) -> bool:
        """Watch these paths, by a name each, and no others of this owner; False when one cannot be watched."""
        self.forget(owner)
        if not paths:
            return True
        is_watched, steps = True, self._steps.setdefault(owner, [])
        for name, path in paths.items():
            found = way(path)
            for directory, entry in found:
                steps.append((directory, entry))
                self._by_directory.setdefault(directory, {}).setdefault(entry, {})[owner] = name
                is_watched &= self._changes.add(directory)
            if found:
                is_watched &= self._writes.add(found[-1][0])
        return is_watched

    def forget(self, owner: Owner) -> None:
        """It is followed no more."""
        for directory, entry in self._steps.pop(owner, ()):
            entries = self._by_directory.get(directory, {})
            if (owners := entries.get(entry)) is not None:
                owners.pop(owner, None)
                if not owners:
                    del entries[entry]
                if not entries:
                    del self._by_directory[directory]

    def concerned(self, change: Change) -> Iterator[tuple[Owner, str]]:
        """Whose path leads over the entry that has changed, and by which name; all in a directory that is gone."""
        entries = self._by_directory.get(change.directory, {})
        for owners in list(entries.values()) if not change.name else [entries.get(change.name, {})]:
            yield from list(owners.items())
