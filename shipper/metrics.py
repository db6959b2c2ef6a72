"""Every counter of the agent. Gauges that are computed when they are asked for stand in source/status.py.

The counters add up at every moment: lines_read = lines_filtered + entries_sent + entries_dropped + entries_pending.
No label holds a path, and no series lives longer than what it counts.
"""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

PUSH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """All counters of one agent, on a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)

        # the ledger
        self.lines_read = counter(
            "shipper_lines_read", "Complete lines read; a line that the runtime has split counts once"
        )
        self.lines_filtered = counter("shipper_lines_filtered", "Lines not kept, by reason", ["reason"])
        self.entries_sent = counter("shipper_entries_sent", "Entries that Loki has stored")
        self.entries_dropped = counter(
            "shipper_entries_dropped", "Entries that will never be sent, by reason", ["reason"]
        )
        self.entries_reduced = counter(
            "shipper_entries_reduced",
            "Entries sent without the structured metadata or labels that Loki refuses, by reason",
            ["reason"],
        )
        self.entries_pending = gauge("shipper_entries_pending", "Entries read, and neither sent nor dropped yet")

        # reading
        self.bytes_read = counter("shipper_bytes_read", "Bytes read from log files")
        self.files_truncated = counter("shipper_files_truncated", "Files that became shorter while they were read")
        self.files_lost = counter("shipper_files_lost", "Files that were deleted before they were fully read")
        self.bytes_lost = counter(
            "shipper_bytes_lost", "Unread bytes of lost files, as far as known; there may have been more"
        )
        self.read_errors = counter(
            "shipper_read_errors", "Attempts to read a file or to list a directory that failed, by error", ["error"]
        )
        self.positions_saves = counter(
            "shipper_positions_saves", "Saves of the positions file, by outcome", ["outcome"]
        )
        self.positions_write_age = gauge(
            "shipper_positions_write_age_seconds", "For how long the write of the positions under way has lasted"
        )
        self.label_overflows = counter(
            "shipper_label_overflows", "Lines with a label whose value became __overflow__, by label", ["label"]
        )

        # the Kubernetes API
        self.kubernetes_pods = gauge("shipper_kubernetes_pods", "Pods of this node that the Kubernetes API has named")
        self.kubernetes_targets = counter(
            "shipper_kubernetes_targets", "New logs, by whether their pod's metadata came in time", ["metadata"]
        )
        self.kubernetes_errors = counter(
            "shipper_kubernetes_errors", "Failed requests to the Kubernetes API, by reason", ["reason"]
        )

        # failed handshakes
        self.handshake_failures = counter(
            "mtls_handshake_failures",
            "Failed handshakes seen in the logs, each connection once; lines read again after a crash count again",
            ["namespace", "app", "failure_reason", "side", "shipped", "peer_namespace", "peer_app"],
        )

        # who the failed handshakes were with
        self.peers = counter(
            "shipper_peers",
            "Kept lines that have a peer, by what had its address, and why that is unknown",
            ["kind", "reason"],
        )
        self.directory_requests = counter(
            "shipper_peers_requests", "Requests of this agent to the directory, by outcome", ["outcome"]
        )
        self.directory_away = gauge(
            "shipper_directory_away", "1 while the directory does not answer and is only probed"
        )

        # pushing
        self.push_seconds = Histogram(
            "shipper_push_duration_seconds",
            "Time from a push request to its answer, by status (0: no answer)",
            ["status"],
            buckets=PUSH_SECONDS,
            registry=self.registry,
        )
        self.push_bytes = counter("shipper_push_bytes", "Compressed bytes of accepted pushes")
        self.retries = counter("shipper_push_retries", "Pushes that failed and are repeated, by cause", ["cause"])
        self.streams = gauge("shipper_streams", "Streams with pending entries")
        self.streams_failing = gauge(
            "shipper_streams_failing", "Streams whose pushes fail while others are stored; each waits alone"
        )
        self.quarantined = counter(
            "shipper_entries_quarantined", "Dropped entries that were written to the quarantine file"
        )
        self.quarantine_errors = counter(
            "shipper_quarantine_errors", "Dropped entries that could not be written to the quarantine file"
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

    def failed_reads(self) -> int:
        """How often a log, or a directory of logs, could not be read."""
        return _total(self.read_errors)


def _total(metric: MetricWrapperBase) -> int:
    """The sum over all labels."""
    samples = (sample for family in metric.collect() for sample in family.samples)
    return int(sum(sample.value for sample in samples if not sample.name.endswith("_created")))
