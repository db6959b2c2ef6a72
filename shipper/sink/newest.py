"""What Loki is known to have of each stream."""

from collections import OrderedDict

REMEMBERED_STREAMS = 10_000


class Newest:
    """The time of the newest entry that Loki has of each stream, in nanoseconds, for the streams sent last."""

    def __init__(self, most: int = REMEMBERED_STREAMS) -> None:
        self._most = most
        self._nanos: OrderedDict[str, int] = OrderedDict()

    def of(self, labels: str) -> int | None:
        """None: not known."""
        return self._nanos.get(labels)

    def sent(self, labels: str, nanos: int) -> None:
        """Loki has an entry of this time."""
        self._nanos[labels] = max(nanos, self._nanos.pop(labels, nanos))
        if len(self._nanos) > self._most:
            self._nanos.popitem(last=False)
