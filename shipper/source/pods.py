"""What is known of the node's pods, and which targets still wait for their pod.

Knows neither the API nor files: pods are put in and removed, and targets ask. A target waits a short while and then
goes on without its pod's metadata, so that an API which is away holds nothing up.
"""

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from shipper.kubernetes.metadata import ObjectMeta
from shipper.kubernetes.rows import Row
from shipper.kubernetes.timing import API_TIMING, ApiTiming
from shipper.metrics import Metrics
from shipper.source.pod_fields import log_directories

if TYPE_CHECKING:
    from shipper.source.workloads import NodeWorkloads


class Pods:
    """The fields of pods, by the name of their log directory: a store of what the API says of them."""

    def __init__(
        self,
        fields: Callable[[ObjectMeta], dict[str, str]],
        metrics: Metrics,
        timing: ApiTiming = API_TIMING,
        clock: Callable[[], float] = time.monotonic,
        workloads: "NodeWorkloads | None" = None,
    ) -> None:
        """`workloads`: who wants to know as well."""
        self._workloads = workloads
        self._fields, self._metrics, self._timing, self._clock = fields, metrics, timing, clock
        self._known: dict[str, dict[str, str]] = {}
        self._deleted: dict[str, float] = {}  # directory -> since when, the longest first
        self._waiting: dict[str, float] = {}  # target -> since when
        metrics.kubernetes_pods.set_function(self.__len__)

    def __len__(self) -> int:
        """Log directories whose pod is known."""
        return len(self._known)

    @property
    def is_awaited(self) -> bool:
        """Whether a target waits for its pod's metadata."""
        return bool(self._waiting)

    def ask(self, target: str) -> dict[str, str] | None:
        """The fields that are known of a target (`<directory>/<container>`); None: not yet, ask again."""
        fields = self._known.get(target.partition("/")[0])
        now = self._clock()
        if fields is None and now - self._waiting.setdefault(target, now) < self._timing.pod_wait:
            return None
        self._waiting.pop(target, None)
        self._metrics.kubernetes_targets.labels(metadata="none" if fields is None else "found").inc()
        return fields or {}

    def put(self, row: Row) -> list[str]:
        """Add or update a pod; the names of its log directories."""
        names, fields = self._put(row.metadata)
        if self._workloads:
            self._workloads.put(row, fields)
        return names

    def _put(self, pod: ObjectMeta) -> tuple[list[str], dict[str, str]]:
        fields, names = self._fields(pod), log_directories(pod)
        for name in names:
            self._deleted.pop(name, None)
            self._known[name] = fields
        return names, fields

    def remove(self, row: Row) -> None:
        """A pod was deleted."""
        names, fields = self._put(row.metadata)  # with its last labels
        self._end(names)
        if self._workloads:
            self._workloads.remove(row.metadata, fields)

    def follows(self) -> None:
        """All changes so far were told, and from now on they are told as they happen."""
        if self._workloads:
            self._workloads.follows()

    def lost(self, seconds: float) -> None:  # noqa: ARG002 what was said of them stays
        """Not any more."""
        if self._workloads:
            self._workloads.lost()

    def begin_list(self) -> set[str]:
        """All names that are not known to be deleted. Take out those that a list has; the rest are of pods that were
        deleted."""
        if self._workloads:
            self._workloads.begin_list()
        return self._known.keys() - self._deleted.keys()

    def mark_deleted(self, names: Iterable[str]) -> None:
        """The pods of these log directories were not in the list; they are forgotten after a while."""
        missing = list(names)
        self._end(missing)
        if self._workloads:
            for name in missing:
                self._workloads.end(*name.split("_"))
            self._workloads.end_list()

    def _end(self, names: Iterable[str]) -> None:
        now = self._clock()
        for name in names:
            self._deleted.setdefault(name, now)
        for name, since in list(self._deleted.items()):
            if now - since < self._timing.remember_deleted:
                break
            del self._deleted[name], self._known[name]
