"""From a log's path, its pod's metadata and what was saved to a target and its labels."""

from collections.abc import Callable, Mapping

from shipper.config import ScrapeConfig
from shipper.model import Target
from shipper.pipeline.labels import target_labels
from shipper.source.discovery.targets import Found
from shipper.source.positions.file import SavedTarget

NameTarget = Callable[[Found, SavedTarget], Target | None]
"""What a log is known by, and its labels; None: not known yet, ask again."""


AskPod = Callable[[str], dict[str, str] | None]
"""The fields that are known of the pod of a target, by the target's key; None: not known yet, ask again."""


class Naming:
    """Names targets. What a target was known by before stays, so that nothing is sent under two label sets."""

    def __init__(
        self, scrape: ScrapeConfig, external_labels: Mapping[str, str], node: str, ask_pod: AskPod | None
    ) -> None:
        """`ask_pod`: None where pods are named by their path alone."""
        self._node, self._ask_pod = node, ask_pod
        self._constant = {**external_labels, **scrape.static_labels, "job": scrape.job_name}
        self._promoted = (*scrape.labels, *scrape.pod_labels, *scrape.pod_annotations)

    def __call__(self, found: Found, saved: SavedTarget) -> Target | None:
        """The target; None while its pod's metadata are waited for."""
        known: dict[str, str] | None = {}
        if self._ask_pod is not None and "uid" in found.fields and not saved.fields:
            known = self._ask_pod(found.key)
        return None if known is None else self.target(found, saved, known)

    def target(self, found: Found, saved: SavedTarget, known: Mapping[str, str]) -> Target:
        """The target, with the fields that are `known` of its pod."""
        fields = {"node": self._node, **found.fields, **known, **saved.fields}
        labels = dict(target_labels(self._promoted, fields, self._constant.items()))
        return Target(found.key, fields, labels, self._promoted)
