"""Keeps the node's pods up to date with the Kubernetes API; the agent ships without it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from shipper.kubernetes.client import Connect, connected
from shipper.kubernetes.errors import ApiErrors, Without
from shipper.kubernetes.reflector import Reflector
from shipper.kubernetes.requests import pods_of
from shipper.kubernetes.timing import API_TIMING, ApiTiming
from shipper.metrics import Metrics
from shipper.source.pods import Pods

WITHOUT_LABELS: Final = Without(
    "pod labels",
    "shipping continues, new pods are labelled from their log path",
    "new pods get their labels from it",
)


def following_pods(
    node: str,
    pods: Pods,
    metrics: Metrics,
    on_answer: Callable[[], None],
    connect: Connect | None = None,
    timing: ApiTiming = API_TIMING,
) -> AbstractAsyncContextManager[None]:
    """Keep `pods` up to date while the context lasts; `on_answer` is called when more is known and a target waits."""

    def answer() -> None:
        if pods.is_awaited:
            on_answer()

    errors = ApiErrors(metrics.kubernetes_errors, WITHOUT_LABELS)
    return Reflector(pods_of(node), pods, errors, answer, connect or connected, timing).running()
