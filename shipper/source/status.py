"""What is read, how far, and how far behind: for /targets and /metrics."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from shipper.pipeline.labels import Admission
from shipper.source.follower import Follower
from shipper.source.reader import Reader
from shipper.source.tail.files import Files
from shipper.source.tail.handles import BEYOND
from shipper.source.tail.tailer import Tailer


class Status(Collector):
    """What /targets shows, and gauges made when they are asked for, so that a series ends with its target."""

    def __init__(self, reader: Reader, admission: Admission, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader, self._admission, self._clock = reader, admission, clock

    def targets(self) -> list[dict[str, Any]]:
        """Every target with its files and its accounting, for people."""
        return [
            {
                "target": follower.target.key,
                "labels": follower.target.labels,
                "paused": follower in self._reader.paused,
                "lag_bytes": follower.files.unsettled(),
                "lag_seconds": round(self._lag_seconds(follower), 3),
                "ledger": {
                    "read": follower.ledger.read,
                    "filtered": +follower.ledger.filtered,
                    "sent": follower.ledger.sent,
                    "dropped": +follower.ledger.dropped,
                    "pending": follower.ledger.pending,
                },
                "files": [_file(follower.files, tailer) for tailer in follower.files.tailers],
            }
            for follower in self._reader.followers.values()
        ]

    def collect(self) -> Iterator[Metric]:
        """The gauges as they are now."""
        reader = self._reader
        followers = list(reader.followers.values())
        yield Gauge("shipper_targets", "Logs that are followed", len(followers))
        yield Gauge("shipper_targets_paused", "Logs that wait for Loki's answers", len(reader.paused))
        tailers = [tailer for follower in followers for tailer in follower.files.tailers]
        yield Gauge("shipper_files_open", "Log files that are open", sum(tailer.is_open for tailer in tailers))
        deleted = [one.bytes for tailer in tailers if (one := tailer.deleted)]
        yield Gauge(
            "shipper_deleted_bytes", "Disk that deleted files take, which are held until Loki has them", sum(deleted)
        )
        yield Gauge("shipper_pending_bytes", "Memory of what is read and not settled", reader.budget.pending)
        yield Gauge("shipper_streams_admitted", "Streams in the budget", len(self._admission))
        yield _lag("shipper_lag_bytes", "Bytes on the disk and not settled", followers, _lag_bytes)
        yield _lag("shipper_lag_seconds", "For how long a log has not been caught up", followers, self._lag_seconds)

    def _lag_seconds(self, follower: Follower) -> float:
        """For how long it has not been caught up."""
        return self._clock() - follower.behind_since if follower.behind_since is not None else 0.0


def _file(files: Files, tailer: Tailer) -> dict[str, Any]:
    size = files.size(tailer)
    return {
        "name": tailer.name.text,
        "size": size,
        "read": size if tailer.read_offset == BEYOND else tailer.read_offset,
        "committed": size if tailer.committed == BEYOND else tailer.committed,
        "open": tailer.is_open,
        "deleted": not tailer.is_listed,
    }


def _lag_bytes(follower: Follower) -> int:
    return follower.files.unsettled()


def _lag(name: str, what: str, followers: Iterable[Follower], lag: Callable[[Follower], float]) -> Metric:
    family = Gauge(name, what, labels=["namespace", "pod", "container"])
    sums: dict[tuple[str, str, str], float] = {}
    for follower in followers:
        fields = follower.target.fields
        key = (fields.get("namespace", ""), fields.get("pod") or fields.get("app", ""), fields.get("container", ""))
        sums[key] = sums.get(key, 0) + lag(follower)
    for key, value in sums.items():
        family.add_metric(key, value)
    return family
