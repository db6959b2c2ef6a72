"""Pods and nodes as a watch of the API tells of them, put into the history.

The Table of a pod has its first address only, not a second one of the other family, and no service account.
"""

from collections.abc import Callable, Iterable, Sequence
from sys import intern
from typing import NamedTuple

from shipper.kubernetes.metadata import app_name, owner_name
from shipper.kubernetes.rows import Row
from shipper.who import History, Holder


class Seen(NamedTuple):
    """What a row says."""

    holder: Holder
    address: str  # empty: none
    restarts: int = 0


Reader = Callable[[Row], Seen]


def pod_reader(app_labels: Sequence[str]) -> Reader:
    """Reads the rows of `requests.PODS`; a pod that has completed has given up its address."""

    def read(row: Row) -> Seen:
        meta, (address, node, restarts) = row.metadata, row.cells
        holder = Holder(
            "pod",
            intern(meta.namespace),
            meta.name,
            intern(app_name(meta, app_labels)),
            intern(owner_name(meta)),
            intern(node or ""),
        )
        return Seen(holder, "" if row.completed else address or "", _count(restarts or ""))

    return read


def read_node(row: Row) -> Seen:
    """Reads the rows of `requests.NODES`."""
    return Seen(Holder("node", node=intern(row.metadata.name)), row.cells[0] or "")


def _count(restarts: str) -> int:
    """Of `3 (5m ago)` the 3."""
    number = restarts.partition(" ")[0]
    return int(number) if number.isdecimal() else 0


class Observed:
    """One resource in the history; its objects' uids begin with `prefix`, which tells them from the others'."""

    def __init__(self, history: History, prefix: str, read: Reader, now: Callable[[], int]) -> None:
        self._history, self._prefix, self._read, self._now = history, prefix, read, now
        self._listed: int | None = None  # when the first row of a list was read; None: it is no list
        self._lists = False

    def begin_list(self) -> set[str]:
        """The names of all objects that have an address."""
        self._lists, self._listed = True, None
        return {uid for uid in self._history.begin_list() if uid.startswith(self._prefix)}

    def put(self, row: Row) -> Iterable[str]:
        """An object, and what it has now."""
        uid = self._prefix + row.metadata.uid
        holder, address, restarts = self._read(row)
        now = self._list_time() if self._lists else self._now()
        self._history.put(uid, holder, (address,) if address else (), now, restarts=restarts, listed=self._lists)
        return (uid,)

    def remove(self, row: Row) -> None:
        """An object was deleted."""
        self._history.remove(self._prefix + row.metadata.uid, self._now())

    def mark_deleted(self, names: Iterable[str]) -> None:
        """A list is complete, and has none of these."""
        self._history.end_list(names, self._list_time())
        self._lists = False

    def _list_time(self) -> int:
        """The list is of one version, which is older than its first row."""
        self._listed = self._listed or self._now()
        return self._listed

    def follows(self) -> None:
        """`Knowledge` is told what is complete."""

    def lost(self, seconds: float) -> None:
        """What is complete says it."""
