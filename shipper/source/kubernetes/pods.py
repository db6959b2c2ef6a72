"""What is known of the node's pods, and who waits to know.

Knows neither the API nor files: pods are put in and taken out, and targets ask. Whoever asks waits a short while and
then does without, so that an API which is away holds nothing up.
"""

import time
from collections.abc import Callable
from typing import Final

from shipper.metrics import Metrics
from shipper.source.kubernetes.metadata import Metadata

WAIT: Final = 5.0  # seconds for which a target waits for its metadata
KEEP: Final = 300.0  # seconds for which a pod that is gone is remembered: its last lines are read after that


class Pods:
    """The fields of pods, by the name of their log directory."""

    def __init__(
        self,
        fields: Callable[[Metadata], dict[str, str]],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fields, self._metrics, self._clock = fields, metrics, clock
        self._known: dict[str, dict[str, str]] = {}
        self._gone: dict[str, float] = {}  # since when, the longest first
        self._asked: dict[str, float] = {}  # target -> since when it waits
        metrics.kubernetes_pods.set_function(self.__len__)

    def __len__(self) -> int:
        """Log directories whose pod is known."""
        return len(self._known)

    def ask(self, target: str) -> dict[str, str] | None:
        """The fields that are known of a target (`<directory>/<container>`); None: not yet, ask again."""
        fields = self._known.get(target.partition("/")[0])
        now = self._clock()
        if fields is None and now - self._asked.setdefault(target, now) < WAIT:
            return None
        self._asked.pop(target, None)
        self._metrics.kubernetes_targets.labels(metadata="none" if fields is None else "found").inc()
        return fields or {}

    def put(self, pod: Metadata) -> list[str]:
        """A pod is there, or has changed; the names it is known by."""
        fields, names = self._fields(pod), pod.log_directories
        for name in names:
            self._gone.pop(name, None)
            self._known[name] = fields
        return names

    def remove(self, pod: Metadata) -> None:
        """A pod is gone; it is forgotten in a while."""
        self.put(pod)  # how it was last
        self._mark_gone(pod.log_directories)

    def begin_list(self) -> set[str]:
        """All that are taken to be there: take off it what a list names, and end with what is left."""
        return self._known.keys() - self._gone.keys()

    def end_list(self, missing: set[str]) -> None:
        """A list is complete, and these were not in it."""
        self._mark_gone(missing)

    def _mark_gone(self, names: set[str] | list[str]) -> None:
        now = self._clock()
        for name in names:
            self._gone.setdefault(name, now)
        for name, since in list(self._gone.items()):
            if now - since < KEEP:
                break
            del self._gone[name], self._known[name]
