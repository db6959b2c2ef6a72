"""How long a target waits for its pod, and when a pod is forgotten."""

import pytest

from shipper.kubernetes.metadata import ObjectMeta
from shipper.kubernetes.rows import Row
from shipper.kubernetes.timing import API_TIMING
from shipper.metrics import Metrics
from shipper.source.pods import Pods

WAIT, KEEP = API_TIMING.pod_wait, API_TIMING.remember_deleted


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def pods(metrics: Metrics, time: Time) -> Pods:
    return Pods(lambda pod: dict(pod.labels or {}), metrics, clock=time)


def made(name: str, **labels: str) -> Row:
    return Row(ObjectMeta(name=name, namespace="shop", uid="u", labels=labels))


def asked(metrics: Metrics, metadata: str) -> float:
    return metrics.registry.get_sample_value("shipper_kubernetes_targets_total", {"metadata": metadata}) or 0.0


def test_a_known_pod_is_told_at_once(pods: Pods, metrics: Metrics) -> None:
    pods.put(made("a", app="checkout"))
    assert pods.ask("shop_a_u/istio-proxy") == {"app": "checkout"}
    assert asked(metrics, "found") == 1


def test_an_unknown_pod_is_waited_for_and_then_done_without(pods: Pods, metrics: Metrics, time: Time) -> None:
    assert pods.ask("shop_a_u/istio-proxy") is None
    time.now += WAIT - 0.1
    assert pods.ask("shop_a_u/istio-proxy") is None
    time.now += 0.1
    assert pods.ask("shop_a_u/istio-proxy") == {}
    assert asked(metrics, "none") == 1


def test_another_target_waits_a_time_of_its_own(pods: Pods, time: Time) -> None:
    assert pods.ask("shop_a_u/istio-proxy") is None
    time.now += WAIT
    assert pods.ask("shop_b_u/istio-proxy") is None
    assert pods.ask("shop_a_u/istio-proxy") == {}


def test_it_is_known_whether_a_target_waits(pods: Pods) -> None:
    assert not pods.is_awaited
    assert pods.ask("shop_a_u/istio-proxy") is None
    assert pods.is_awaited
    pods.put(made("a", app="checkout"))
    assert pods.ask("shop_a_u/istio-proxy") == {"app": "checkout"}
    assert not pods.is_awaited


def test_a_pod_that_is_gone_is_remembered_for_its_last_lines(pods: Pods, time: Time) -> None:
    pods.put(made("a", app="checkout"))
    pods.remove(made("a", app="checkout"))
    time.now += KEEP - 1
    pods.remove(made("b"))
    assert pods.ask("shop_a_u/istio-proxy") == {"app": "checkout"}
    time.now += 1
    pods.remove(made("c"))
    assert pods.ask("shop_a_u/istio-proxy") is None
    assert len(pods) == 2


def test_a_pod_of_which_only_the_end_was_seen_is_known(pods: Pods) -> None:
    pods.remove(made("a", app="checkout"))
    assert pods.ask("shop_a_u/istio-proxy") == {"app": "checkout"}


def test_what_a_list_does_not_name_is_gone(pods: Pods, time: Time) -> None:
    for name in "abc":
        pods.put(made(name, app=name))
    missing = pods.begin_list()
    missing.difference_update(pods.put(made("a", app="a")))
    pods.mark_deleted(missing)
    assert len(pods) == 3
    time.now += KEEP
    pods.mark_deleted(set())
    assert len(pods) == 1


def test_a_pod_that_is_listed_again_is_not_forgotten(pods: Pods, time: Time) -> None:
    pods.put(made("a", app="a"))
    pods.mark_deleted(pods.begin_list())
    pods.put(made("a", app="a"))
    time.now += KEEP
    pods.mark_deleted(set())
    assert len(pods) == 1


def test_the_count_is_a_metric(pods: Pods, metrics: Metrics) -> None:
    pods.put(made("a"))
    assert metrics.registry.get_sample_value("shipper_kubernetes_pods") == 1
