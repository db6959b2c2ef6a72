"""What a pod's metadata say about its targets: their app, the labels and annotations that become stream labels, and
where their logs are. Pure."""

from collections.abc import Callable
from typing import Final

from shipper.config import ScrapeConfig
from shipper.kubernetes.metadata import ObjectMeta, app_name
from shipper.pipeline.labels import cut

STATIC_POD_HASH: Final = "kubernetes.io/config.hash"  # takes the place of the uid in a static pod's log path


def log_directories(pod: ObjectMeta) -> list[str]:
    """Names that its log directory can have: by its uid, and for a static pod also by its configuration's hash."""
    hashed = (pod.annotations or {}).get(STATIC_POD_HASH)
    return [f"{pod.namespace}_{pod.name}_{ident}" for ident in (pod.uid, hashed) if ident]


def fields_from(config: ScrapeConfig) -> Callable[[ObjectMeta], dict[str, str]]:
    """Pod metadata -> the target's fields that only the API knows: `app`, and those that `pod_labels` and
    `pod_annotations` name, if the pod has them."""

    wanted_labels, wanted_annotations = list(config.pod_labels.items()), list(config.pod_annotations.items())

    def fields(pod: ObjectMeta) -> dict[str, str]:  # plain loops: this runs for each event
        labels, annotations = pod.labels or {}, pod.annotations or {}
        app = app_name(pod, config.app_label)
        found = {"app": app} if app else {}
        for name, source in wanted_labels:
            if value := labels.get(source):
                found[name] = cut(value)
        for name, source in wanted_annotations:
            if value := annotations.get(source):
                found[name] = cut(value)
        return found

    return fields
