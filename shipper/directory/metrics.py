"""What the directory counts."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge

from shipper.directory.knowledge import Knowledge


class Metrics:
    """On a registry of its own."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.registry = CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        self.requests = counter("shipper_directory_requests", "Requests, by the answer's status", ["status"])
        self.answers = counter(
            "shipper_directory_answers", "Answers, by the kind of the holder and why it is unknown", ["kind", "reason"]
        )
        self.errors = counter(
            "shipper_directory_kubernetes_errors", "Failed requests to the Kubernetes API, by reason", ["reason"]
        )
        history = knowledge.history
        for name, meaning, read in (
            ("known_age_seconds", "Time for which changes may be missing; infinite before the first lists",
             lambda: knowledge.age),
            ("since_timestamp_seconds", "Time before which former holders are not known",
             lambda: history.since / 1e9),
            ("addresses", "Addresses of which something is known", lambda: history.addresses),
            ("ended", "Former holders that are kept", lambda: history.ended),
            ("evicted", "Former holders that were dropped early, because there were more than max_ended",
             lambda: history.evicted),
        ):  # fmt: skip
            Gauge(f"shipper_directory_{name}", meaning, registry=self.registry).set_function(read)
