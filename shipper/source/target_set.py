"""Which logs are followed: they are found, watched, named, and dropped when they are gone.

Decides that something has happened to a log, not what is done about it: the reader is told by a callable.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from shipper.model import Target
from shipper.pipeline.pipeline import Pipeline
from shipper.source.accounting import Accounting
from shipper.source.discovery.inotify import CHANGES, WRITES, Change, Watcher
from shipper.source.discovery.links import Links
from shipper.source.discovery.targets import Found, Targets, is_directory
from shipper.source.follower import Follower, OnSettled
from shipper.source.naming import NameTarget
from shipper.source.positions.file import SavedTarget
from shipper.source.positions.snapshot import Snapshot
from shipper.source.tail.files import Files
from shipper.source.tail.listing import Listing
from shipper.source.tail.look_back import StartPolicy
from shipper.source.tail.names import LogName
from shipper.source.timing import Timing

OnChange = Callable[[Follower], None]
"""Something has happened to this log."""


@dataclass(slots=True)
class Directory:
    """Logs that are followed in one directory, by their stems; None: all files in it are one log."""

    listing: Listing
    followers: dict[str | None, Follower] = field(default_factory=dict)

    def concerned(self, name: str) -> Iterator[Follower]:
        """Whose files have such a name."""
        log = LogName.parse(name) if len(self.followers) > (None in self.followers) else None
        for stem in {None, log and log.stem}:
            if stem in self.followers:
                yield self.followers[stem]


class TargetSet:
    """All logs that are followed."""

    def __init__(
        self,
        targets: Targets,
        pipeline: Pipeline,
        name_target: NameTarget,
        start_policy: StartPolicy,
        accounting: Accounting,
        snapshot: Snapshot,
        saved: Mapping[str, SavedTarget],
        timing: Timing,
        on_change: OnChange,
        on_settled: OnSettled,
        watcher: Callable[[int], Watcher] = Watcher,
    ) -> None:
        """`saved` is what an earlier process left; `watcher` makes one for some kinds of events."""
        self.changes, self.writes = watcher(CHANGES), watcher(WRITES)  # apart, for only writes can wait
        self._targets, self._pipeline = targets, pipeline
        self._name_target, self._start_policy = name_target, start_policy
        self._accounting, self._snapshot, self._timing = accounting, snapshot, timing
        self._on_change, self._on_settled = on_change, on_settled
        self._saved = dict(saved)
        self._by_directory: dict[str, Directory] = {}
        self._links: Links[Follower] = Links(self.changes, self.writes)
        self._linked: dict[Follower, Mapping[str, tuple[int, int] | None]] = {}  # what their links led to
        self._root_link: Links[str] = Links(self.changes, self.changes)
        self._unwatched_links: set[Follower] = set()
        self._unwatched: set[str] = set()
        self.followers: dict[str, Follower] = {}
        self.unnamed: dict[Follower, Found] = {}  # their pods' metadata are not known yet: open, but not read
        self.is_scanned = False  # once at least

    def touch(self, follower: Follower) -> None:
        """What a restart needs to know of it may have changed."""
        if follower not in self.unnamed:
            self._snapshot.touch(follower)

    def listed(self, follower: Follower) -> None:
        """Its directory was listed: watch where its links lead now."""
        self.touch(follower)
        links = follower.files.links
        if self._linked.get(follower, {}) == links and None not in links.values():
            return
        self._linked[follower] = links
        paths = {name: f"{follower.files.directory}/{name}" for name in links}
        if self._links.watch(follower, paths):
            self._unwatched_links.discard(follower)
        else:
            self._unwatched_links.add(follower)

    def close(self) -> None:
        """Give all descriptors back."""
        self.changes.close()
        self.writes.close()
        for follower in self.followers.values():
            follower.files.close()

    # -- scans and changes

    def scan(self, *, required: bool = False) -> None:
        """List everything. Raises OSError when the root cannot be listed and that is required."""
        self._root_link.watch(self._targets.root, {"": self._targets.root})
        try:
            for found in self._targets.scan(self._watch):
                self._follow(found)
        except OSError as error:
            if required:
                raise
            self._accounting.notices.unreadable_root(self._targets.root, error)
            return
        self._linked.clear()
        for directory, problem in self._targets.unreadable.items():
            self._accounting.enter_unreadable(directory, problem)
        self._targets.unreadable.clear()
        if not self.is_scanned and not self.followers:
            self._accounting.notices.no_logs(self._targets.why_none())
        for follower in list(self.followers.values()):
            self._list_again(follower)
        for key, target in self._saved.items():
            if key not in self.followers:
                self._pipeline.release(key)
                self._snapshot.forget(key)
                if not self._targets.still_has(key):
                    self._accounting.enter_gone(key, target)
        self._saved.clear()  # what is left are targets that are gone, or are no longer configured
        self.is_scanned = True

    @property
    def has_unwatched(self) -> bool:
        """Whether there are directories that could not be watched."""
        return bool(self._unwatched or self._unwatched_links)

    def scan_unwatched(self) -> None:
        """List the directories that have no watch."""
        if any(directory not in self._by_directory for directory in self._unwatched):
            self.scan()
        for directory in list(self._unwatched):
            followed = directory in self._by_directory
            watched = self.changes.add(directory) and (not followed or self.writes.add(directory))
            if watched or not is_directory(directory):
                self._unwatched.discard(directory)
            if followed:
                for follower in self._by_directory[directory].followers.values():
                    self._list_again(follower)
        for follower in self._unwatched_links:
            self._list_again(follower)

    def _list_again(self, follower: Follower) -> None:
        follower.files.expire_listing()
        self._on_change(follower)

    def note_changes(self) -> bool:
        """Note what the watches have seen; whether anything was written."""
        wrote = False
        # Writes first: a directory that came back is watched anew only when it is known that the old watch is gone.
        for change in chain(self.writes.changes(), self.changes.changes()):
            if change is None:
                self.scan()
                continue
            wrote |= change.wrote
            if not change.wrote and any(self._root_link.concerned(change)):
                self.scan()
                continue
            if (directory := self._by_directory.get(change.directory)) is not None:
                for follower in directory.concerned(change.name):
                    self._note(follower, change, change.name)
            for follower, name in self._links.concerned(change):
                self._linked.pop(follower, None)
                self._note(follower, change, name)
            is_followed = change.directory != self._targets.root and directory is not None
            if not change.wrote and not is_followed:
                self._find_targets(change)
        return wrote

    def _note(self, follower: Follower, change: Change, name: str) -> None:
        if change.wrote:
            follower.files.wrote(name)
        else:
            follower.files.expire_listing()
        self._on_change(follower)

    def _find_targets(self, change: Change) -> None:
        root = self._targets.root
        if change.directory != root and not change.directory.startswith(f"{root.rstrip('/')}/"):
            return
        name = change.name if change.directory == root else change.directory.rpartition("/")[2]
        for found in self._targets.scan_name(name, self._watch):
            self._follow(found)

    def _watch(self, directory: str) -> bool:
        watched = self.changes.add(directory)
        if not watched:
            self._unwatched.add(directory)
        return watched

    # -- coming and going

    def _follow(self, found: Found) -> None:
        if not self.writes.add(found.directory):  # again, where the directory went and came back meanwhile
            self._unwatched.add(found.directory)
        if (followed := self.followers.get(found.key)) is not None:  # its directory may have gone and come back
            self._list_again(followed)
            return
        known = self._saved.pop(found.key, None)
        start_policy = self._start_policy.of_known(known.since) if known else self._start_policy
        saved = known or SavedTarget()
        named = self._name_target(found, saved)
        target = named or Target(found.key, found.fields, {})
        pipeline = self._pipeline.open(target)
        directory = self._by_directory.setdefault(found.directory, Directory(Listing(found.directory)))
        files = Files(
            found.directory, found.stem, saved.files, start_policy, listing=directory.listing, ended=saved.ended
        )
        follower = Follower(target, files, pipeline, self._on_settled, self._timing)
        if named is None:
            self.unnamed[follower] = found
            self._snapshot.forget(found.key)
        self.touch(follower)
        self.followers[found.key] = follower
        directory.followers[found.stem] = follower
        self._snapshot.next_generation()
        self._on_change(follower)

    def name(self, follower: Follower) -> bool:
        """Try to name a log that had no name; whether it has one now."""
        target = self._name_target(self.unnamed[follower], SavedTarget())
        if target is None:
            return False
        follower.rename(target, self._pipeline.open(target))
        del self.unnamed[follower]
        self.touch(follower)
        self._snapshot.next_generation()
        return True

    def drop(self, follower: Follower) -> None:
        """The log is gone, and all of it is settled."""
        del self.followers[follower.target.key]
        self._snapshot.drop(follower)
        self._links.forget(follower)
        self._linked.pop(follower, None)
        self._unwatched_links.discard(follower)
        name = follower.files.directory
        directory = self._by_directory[name]
        del directory.followers[follower.files.stem]
        if not directory.followers:
            del self._by_directory[name]
            self._unwatched.discard(name)
        self._pipeline.release(follower.target.key)
