"""How much of the disk deleted files may take: those that are held open until Loki has them.

The node cannot free it, so in a long outage it would run full. Beyond the bound the oldest are given up.
"""

from collections import Counter
from typing import Final, NamedTuple

from shipper.source.follower import Follower
from shipper.source.tail.handles import Deleted
from shipper.source.tail.tailer import Tailer

_FEW: Final = 64  # files; so many are always remembered, though they may be closed by now


class _Held(NamedTuple):
    deleted: Deleted
    follower: Follower


class DeletedFiles:
    """Keeps what deleted files take from each volume within `most` bytes, and within so many percent of it."""

    def __init__(self, most: int, percent: int) -> None:
        self._most, self._percent = most, percent
        self._held: dict[Tailer, _Held] = {}  # when they were last looked at; some may be closed by now
        self._bytes: Counter[int] = Counter()  # of those, by volume
        self._enough = _FEW  # files, beyond which those that are closed are forgotten
        self._is_too_much = False

    def listed(self, follower: Follower) -> None:
        """What has become of its files is known anew."""
        for tailer in follower.files.tailers:
            if tailer.may_be_deleted and (deleted := tailer.deleted):
                before = self._held.get(tailer)
                self._bytes[deleted.volume] += deleted.bytes - (before.deleted.bytes if before else 0)
                self._held[tailer] = _Held(deleted, follower)
                self._is_too_much |= self._excess(deleted) > 0
        if len(self._held) > self._enough:
            self._look_again()

    def give_up_oldest(self) -> dict[Follower, None]:
        """Give up what is too much; of which logs that was."""
        poorer: dict[Follower, None] = {}
        if self._is_too_much:
            self._look_again()
            # Those first of which a compressed copy still has a name: it is read instead.
            oldest = sorted(self._held.items(), key=lambda one: (not one[0].is_listed, one[1].deleted.modified))
            for tailer, (deleted, follower) in oldest:
                if self._excess(deleted) > 0:
                    follower.give_up(tailer)
                    poorer[follower] = None
                    del self._held[tailer]
                    self._bytes[deleted.volume] -= deleted.bytes
            self._is_too_much = False
        return poorer

    def _excess(self, of: Deleted) -> int:
        """The bytes that are too many on the volume of this file."""
        return self._bytes[of.volume] - min(self._most, of.volume_bytes * self._percent // 100)

    def _look_again(self) -> None:
        held = [(tailer, one.follower, tailer.deleted) for tailer, one in self._held.items()]
        self._held = {tailer: _Held(deleted, follower) for tailer, follower, deleted in held if deleted}
        self._bytes = Counter()
        for deleted, _ in self._held.values():
            self._bytes[deleted.volume] += deleted.bytes
        self._enough = 2 * len(self._held) + _FEW
