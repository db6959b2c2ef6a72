"""Enters what was read into the agent's books, in the same step in which it is handed on: so the ledger closes."""

from shipper.metrics import Metrics
from shipper.pipeline.pipeline import Extract


def book(metrics: Metrics, extract: Extract, size: int) -> None:
    """A block of `size` bytes has come to this."""
    metrics.bytes_read.inc(size)
    metrics.lines_read.inc(extract.lines)
    for reason, lines in extract.filtered.items():
        if lines:
            metrics.lines_filtered.labels(reason=reason).inc(lines)
    for reason, lines in extract.dropped.items():
        if lines:
            metrics.entries_dropped.labels(reason=reason).inc(lines)
    for label, lines in extract.overflowed.items():
        metrics.label_overflows.labels(label=label).inc(lines)
