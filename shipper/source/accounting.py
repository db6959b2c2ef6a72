"""Counts each block in the same step that hands it on, so the counters always add up. Passes on what to log of it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Counter as CounterMetric

from shipper.metrics import Metrics
from shipper.model import Target
from shipper.pipeline.labels import OVERFLOW
from shipper.pipeline.result import Result
from shipper.source.notices import Notices
from shipper.source.positions.file import SavedTarget
from shipper.source.tail.losses import Losses

MOST_APPS: Final = 500  # whose failures are counted apart: in its whole life a node may see more
MOST_PAIRS: Final = 1000  # of an app and a peer of it: beyond, the peer is given up, the app is not


class _ByReason(dict[str, CounterMetric]):
    """A counter's children by reason: `labels()` costs more than counting does."""

    def __init__(self, parent: CounterMetric) -> None:
        self._parent = parent

    def __missing__(self, reason: str) -> CounterMetric:
        found = self[reason] = self._parent.labels(reason=reason)
        return found


@dataclass(slots=True)
class Ledger:
    """One target's counters: read = filtered + sent + dropped + pending."""

    read: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def pending(self) -> int:
        """Entries on their way."""
        return self.read - self.filtered.total() - self.sent - self.dropped.total()

    def enter(self, result: Result) -> None:
        """A block has come to this."""
        self.read += result.lines
        self.filtered.update(result.filtered)
        self.dropped.update(result.dropped)

    def settle(self, entries: int, dropped: int) -> None:
        """So many entries are stored or, `dropped` of them, given up for good."""
        self.sent += entries - dropped
        if dropped:
            self.dropped["refused"] += dropped


class Accounting:
    """The counters of what is read; `ships`: whether kept lines go to a Loki."""

    def __init__(self, metrics: Metrics, notices: Notices | None = None, *, ships: bool = True) -> None:
        self._metrics, self._ships = metrics, ships
        self._filtered, self._dropped = _ByReason(metrics.lines_filtered), _ByReason(metrics.entries_dropped)
        self.notices = notices or Notices()
        self._apps: set[tuple[str, str]] = set()
        self._pairs: set[tuple[tuple[str, str], tuple[str, str]]] = set()  # of an app and its peer

    def enter(self, target: Target, result: Result, size: int) -> None:
        """A block of `size` bytes of this target has come to this."""
        metrics = self._metrics
        metrics.bytes_read.inc(size)
        metrics.lines_read.inc(result.lines)
        for reason, lines in result.filtered.items():
            if lines:
                self._filtered[reason].inc(lines)
        for reason, lines in result.dropped.items():
            if lines:
                self._dropped[reason].inc(lines)
        for label, lines in result.overflowed.items():
            metrics.label_overflows.labels(label=label).inc(lines)
        if result.failures:
            self._enter_failures(target, result)
        for (kind, reason), lines in result.peers.items():
            metrics.peers.labels(kind=kind, reason=reason).inc(lines)
        self.notices.extracted(result)

    def enter_losses(self, losses: Losses) -> None:
        """Count what went wrong while files were read."""
        metrics = self._metrics
        metrics.files_truncated.inc(losses.truncated)
        metrics.files_lost.inc(losses.files)
        metrics.bytes_lost.inc(losses.bytes)
        for error, times in losses.read_errors.items():
            metrics.read_errors.labels(error=error).inc(times)

    def enter_unreadable(self, directory: str, error: OSError) -> None:
        """A directory that cannot be listed: its logs are not read."""
        losses = Losses()
        losses.cannot_read(error)
        self.enter_losses(losses)
        self.notices.unreadable_directory(directory, error)

    def enter_gone(self, target: str, saved: SavedTarget) -> None:
        """A target that an earlier process knew is gone; lost, unless all of it was shipped and it had ended."""
        if saved.unread or (saved.files and not saved.ended):
            self.enter_losses(Losses(files=1, bytes=saved.unread))
            self.notices.gone(target, saved)

    def _enter_failures(self, target: Target, result: Result) -> None:
        fields = target.fields
        own = (fields.get("namespace") or target.labels.get("namespace", ""), fields.get("app", ""))
        for kind, times in result.failures.items():
            app = self._counted_app(own if kind.app is None else kind.app)
            peer = self._counted_peer(app, kind.peer)
            shipped = "true" if kind.shipped and self._ships else "false"
            self._metrics.handshake_failures.labels(*app, kind.reason, kind.side, shipped, *peer).inc(times)

    def _counted_app(self, app: tuple[str, str]) -> tuple[str, str]:
        if app not in self._apps and len(self._apps) >= MOST_APPS:
            return OVERFLOW, OVERFLOW
        self._apps.add(app)
        return app

    def _counted_peer(self, app: tuple[str, str], peer: tuple[str, str]) -> tuple[str, str]:
        if any(peer) and (app, peer) not in self._pairs:
            if len(self._pairs) >= MOST_PAIRS:
                return OVERFLOW, OVERFLOW
            self._pairs.add((app, peer))
        return peer
