"""What the agent tells about itself.

The ledger closes at every moment: lines_read = lines_filtered + entries_sent + entries_dropped +
entries_pending.
No label holds a path, and no series outlives what it speaks of.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase


class Metrics:
    """All counters of one agent, on a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        on = self.registry

        # the ledger
        self.lines_read = Counter(
            "shipper_lines_read", "Complete lines read; a line in pieces counts once", registry=on
        )
        self.lines_filtered = Counter("shipper_lines_filtered", "Lines not kept, by reason", ["reason"], registry=on)
        self.entries_sent = Counter("shipper_entries_sent", "Entries Loki has acknowledged", registry=on)
        self.entries_dropped = Counter(
            "shipper_entries_dropped", "Entries given up for good, by reason", ["reason"], registry=on
        )
        self.entries_pending = Gauge("shipper_entries_pending", "Entries read and not yet settled", registry=on)

        # reading
        self.bytes_read = Counter("shipper_bytes_read", "Bytes read from logs", registry=on)
        self.files_truncated = Counter("shipper_files_truncated", "Files that shrank under the reader", registry=on)
        self.files_lost = Counter(
            "shipper_files_lost", "Files that were gone before they were read to their end", registry=on
        )
        self.bytes_lost = Counter(
            "shipper_bytes_lost", "Bytes of those that are known to be unread; there may have been more", registry=on
        )
        self.read_errors = Counter(
            "shipper_read_errors", "Files that could not be read, by error", ["error"], registry=on
        )
        self.positions_saves = Counter(
            "shipper_positions_saves", "Savings of the positions, by outcome", ["outcome"], registry=on
        )
        self.label_overflows = Counter(
            "shipper_label_overflows",
            "Lines whose label became __overflow__, by label",
            ["label"],
            registry=on,
        )

        # what pods are
        self.kubernetes_pods = Gauge("shipper_kubernetes_pods", "Pods the Kubernetes API has told of", registry=on)
        self.kubernetes_targets = Counter(
            "shipper_kubernetes_targets",
            "New logs by their pod's metadata: found, or none in time",
            ["metadata"],
            registry=on,
        )
        self.kubernetes_errors = Counter(
            "shipper_kubernetes_errors",
            "Requests to the Kubernetes API that failed, by reason",
            ["reason"],
            registry=on,
        )

        # the audit
        self.handshake_failures = Counter(
            "mtls_handshake_failures",
            "Failed handshakes seen in the logs, each connection once; lines read again after a crash count again",
            ["namespace", "app", "failure_reason", "side", "shipped"],
            registry=on,
        )

        # pushing
        self.push_seconds = Histogram(
            "shipper_push_duration_seconds",
            "Time from a push request to its answer, by status (0: no answer)",
            ["status"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=on,
        )
        self.push_bytes = Counter("shipper_push_bytes", "Compressed bytes of pushes Loki has taken", registry=on)
        self.retries = Counter("shipper_push_retries", "Pushes that must be repeated, by cause", ["cause"], registry=on)
        self.streams = Gauge("shipper_streams", "Streams with entries that are not settled", registry=on)
        self.quarantined = Counter(
            "shipper_entries_quarantined",
            "Dropped entries that were written to the quarantine file",
            registry=on,
        )
        self.quarantine_errors = Counter(
            "shipper_quarantine_errors",
            "Dropped entries that could not be written to the quarantine file",
            registry=on,
        )

    def ledger(self) -> dict[str, int]:
        """Lines and entries so far: read = filtered + sent + dropped + pending."""
        parts = {
            "read": self.lines_read,
            "filtered": self.lines_filtered,
            "sent": self.entries_sent,
            "dropped": self.entries_dropped,
            "pending": self.entries_pending,
        }
        return {name: _total(metric) for name, metric in parts.items()}


def _total(metric: MetricWrapperBase) -> int:
    """The sum over all labels."""
    samples = (sample for family in metric.collect() for sample in family.samples)
    return int(sum(sample.value for sample in samples if not sample.name.endswith("_created")))
