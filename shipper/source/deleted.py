"""How much of the disk deleted files may take: those that are held open until Loki has them.

The node cannot free it, so in a long outage it would run full. Beyond the bound the oldest are given up.
"""

from collections import defaultdict

from shipper.source.follower import Follower
from shipper.source.tail.handles import Deleted
from shipper.source.tail.tailer import Tailer


class DeletedFiles:
    """Keeps what deleted files take from each volume within `most` bytes, and within so many percent of it."""

    def __init__(self, most: int, percent: int) -> None:
        self._most, self._percent = most, percent
        self._holding: dict[Follower, None] = {}  # may hold some
        self._has_news = False

    def listed(self, follower: Follower) -> None:
        """What has become of its files is known anew."""
        if any(tailer.may_be_deleted for tailer in follower.files.tailers):
            self._holding[follower] = None
            self._has_news = True

    def give_up_oldest(self) -> set[Follower]:
        """Give up what is too much; of which logs that was."""
        if not self._has_news:
            return set()
        self._has_news = False
        poorer: set[Follower] = set()
        for files in self._by_volume().values():
            excess = sum(deleted.bytes for deleted, _, _ in files) - self._limit(files[0][0])
            # Those first of which a compressed copy still has a name: it is read instead.
            for deleted, tailer, follower in sorted(files, key=lambda file: (not file[1].is_listed, file[0].modified)):
                if excess <= 0:
                    break
                excess -= deleted.bytes
                follower.give_up(tailer)
                poorer.add(follower)
        return poorer

    def _limit(self, deleted: Deleted) -> int:
        return min(self._most, deleted.volume_bytes * self._percent // 100)

    def _by_volume(self) -> dict[int, list[tuple[Deleted, Tailer, Follower]]]:
        found: dict[int, list[tuple[Deleted, Tailer, Follower]]] = defaultdict(list)
        for follower in list(self._holding):
            held = [(deleted, tailer, follower) for tailer in follower.files.tailers if (deleted := tailer.deleted)]
            if not held:
                del self._holding[follower]
            for one in held:
                found[one[0].volume].append(one)
        return found
