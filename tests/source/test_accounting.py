"""What is told of what was read: counters, and words for the operator."""

import logging
from collections import Counter
from collections.abc import Callable

import pytest

from shipper.log import HOUR, Seldom
from shipper.metrics import Metrics
from shipper.model import Target
from shipper.pipeline.audit import FailureKind
from shipper.pipeline.labels import OVERFLOW
from shipper.pipeline.result import TEXT_FORMAT, TOO_LONG, Result
from shipper.source.accounting import MOST_APPS, MOST_PAIRS, Accounting
from shipper.source.notices import Notices


def target(app: str = "pay", namespace: str = "shop") -> Target:
    return Target(f"{namespace}_{app}-0_uid/istio-proxy", {"namespace": namespace, "app": app}, {})


def seen(times: int, *, shipped: bool, reason: str = "cert_expired") -> Result:
    return Result(lines=times, failures=Counter({FailureKind(reason, "downstream", shipped): times}))


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


Said = Callable[[], list[str]]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Said:
    caplog.set_level(logging.INFO)
    return lambda: [record.getMessage() for record in caplog.records]


FAILURE = {
    "namespace": "shop",
    "app": "pay",
    "failure_reason": "cert_expired",
    "side": "downstream",
    "peer_namespace": "",
    "peer_app": "",
}


@pytest.mark.parametrize(
    ("ships", "kept", "shipped"), [(True, True, "true"), (True, False, "false"), (False, True, "false")]
)
def test_failures_are_counted_shipped_or_not(ships: bool, kept: bool, shipped: str) -> None:
    metrics = Metrics()
    Accounting(metrics, ships=ships).enter(target(), seen(3, shipped=kept), 100)
    assert value(metrics, "mtls_handshake_failures_total", **FAILURE, shipped=shipped) == 3


def test_a_failure_is_of_the_workload_that_its_line_speaks_for() -> None:
    metrics = Metrics()
    kinds = [FailureKind("cert_expired", "downstream", True, app) for app in (("shop", "pay"), ("", ""), None)]
    Accounting(metrics).enter(target("ztunnel", "istio-system"), Result(lines=3, failures=Counter(kinds)), 0)
    for namespace, app in (("shop", "pay"), ("", ""), ("istio-system", "ztunnel")):
        labels = FAILURE | {"namespace": namespace, "app": app}
        assert value(metrics, "mtls_handshake_failures_total", **labels, shipped="true") == 1


def test_apps_without_end_become_one() -> None:
    metrics = Metrics()
    accounting = Accounting(metrics)
    for number in range(MOST_APPS + 5):
        accounting.enter(target(f"app-{number}"), seen(1, shipped=True), 0)
    labels = FAILURE | {"namespace": OVERFLOW, "app": OVERFLOW}
    assert value(metrics, "mtls_handshake_failures_total", **labels, shipped="true") == 5


def of_peer(peer: tuple[str, str]) -> Result:
    return Result(lines=1, failures=Counter({FailureKind("cert_expired", "downstream", True, peer=peer): 1}))


def test_a_failure_names_its_peer() -> None:
    metrics = Metrics()
    Accounting(metrics).enter(target(), of_peer(("default", "legacy-client")), 0)
    labels = FAILURE | {"peer_namespace": "default", "peer_app": "legacy-client"}
    assert value(metrics, "mtls_handshake_failures_total", **labels, shipped="true") == 1


def test_peers_without_end_become_one_and_their_app_stays() -> None:
    metrics = Metrics()
    accounting = Accounting(metrics)
    for number in range(MOST_PAIRS + 5):
        accounting.enter(target(), of_peer(("default", f"client-{number}")), 0)
    overflow = FAILURE | {"peer_namespace": OVERFLOW, "peer_app": OVERFLOW}
    assert value(metrics, "mtls_handshake_failures_total", **overflow, shipped="true") == 5
    accounting.enter(target(), of_peer(("default", "client-3")), 0)
    accounting.enter(target(), of_peer(("", "")), 0)
    accounting.enter(target("cart"), of_peer(("default", "client-3")), 0)
    known = FAILURE | {"peer_namespace": "default", "peer_app": "client-3"}
    of_another_app = overflow | {"app": "cart"}
    found = [
        value(metrics, "mtls_handshake_failures_total", **labels, shipped="true")
        for labels in (known, FAILURE, of_another_app)
    ]
    assert found == [2, 1, 1]


def test_series_of_apps_and_peers_are_bounded() -> None:
    metrics = Metrics()
    accounting = Accounting(metrics)
    for number in range(MOST_PAIRS + MOST_APPS):
        accounting.enter(target(f"app-{number}"), of_peer(("default", f"client-{number}")), 0)
    (family,) = metrics.handshake_failures.collect()
    series = {(sample.labels["app"], sample.labels["peer_app"]) for sample in family.samples}
    assert len(series) <= MOST_PAIRS + MOST_APPS + 1
    assert (OVERFLOW, OVERFLOW) in series


def test_kept_lines_are_counted_by_what_is_known_of_their_peers() -> None:
    metrics = Metrics()
    peers = Counter({("pod", ""): 3, ("unknown", "changed_hands"): 2})
    Accounting(metrics).enter(target(), Result(lines=5, peers=peers), 0)
    assert value(metrics, "shipper_peers_total", kind="pod", reason="") == 3
    assert value(metrics, "shipper_peers_total", kind="unknown", reason="changed_hands") == 2


def test_unshipped_failures_are_said_as_a_whole_with_what_to_set(said: Said) -> None:
    now = 1000.0
    accounting = Accounting(Metrics(), Notices(Seldom(lambda: now)))
    accounting.enter(target(), seen(5, shipped=False), 0)
    accounting.enter(target(), seen(115, shipped=False, reason="plaintext"), 0)
    assert not said()  # a first block is not the whole
    accounting.notices.unshipped()
    accounting.notices.unshipped()
    (first,) = said()
    assert "120 failed mTLS handshakes were seen and not shipped (plaintext 115, cert_expired 5)" in first
    assert "set keep: mtls" in first
    now += HOUR
    accounting.enter(target(), seen(1, shipped=False), 0)
    accounting.enter(target(), seen(1, shipped=False), 0)
    _, second = said()
    assert "121 failed mTLS handshakes" in second
    accounting.notices.unshipped()
    assert "122 failed mTLS handshakes" in said()[-1]


def test_unshipped_failures_are_said_each_hour_without_new_ones(said: Said) -> None:
    now = 1000.0
    accounting = Accounting(Metrics(), Notices(Seldom(lambda: now)))
    accounting.enter(target(), seen(5, shipped=False), 0)
    now += HOUR
    accounting.notices.unshipped_hourly()
    accounting.notices.unshipped_hourly()
    assert len(said()) == 1


def test_shipped_failures_need_no_word(said: Said) -> None:
    Accounting(Metrics()).enter(target(), seen(2, shipped=True), 0)
    assert not said()


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (Result(filtered=Counter({TEXT_FORMAT: 1})), "accessLogEncoding: JSON"),
        (Result(dropped=Counter({TOO_LONG: 1})), "limits_config.max_line_size"),
        (Result(overflowed=Counter({"source_san": 1})), "source_san"),
    ],
)
def test_what_an_operator_must_know_is_said_once(result: Result, word: str, said: Said) -> None:
    accounting = Accounting(Metrics())
    for _ in range(3):
        accounting.enter(target(), result, 0)
    (line,) = said()
    assert word in line
