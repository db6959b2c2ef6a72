"""What a target is known by: its path, what its pod's metadata tell, and before all what was saved."""

from shipper.config import ScrapeConfig
from shipper.source.discovery.targets import Found
from shipper.source.naming import AskPod, Naming
from shipper.source.positions.file import SavedTarget

PATH = {"namespace": "shop", "pod": "pay-0", "uid": "u1", "container": "istio-proxy", "app": "pay"}
POD = Found("shop_pay-0_u1/istio-proxy", "/logs/shop_pay-0_u1/istio-proxy", None, PATH)
PLAIN = Found("checkout", "/logs", "checkout", {"app": "checkout"})
SCRAPE = ScrapeConfig(
    kubernetes=True, labels=("namespace", "app"), static_labels={"cluster": "a"}, pod_labels={"team": "team"}
)
NEW = SavedTarget()


def naming(ask_pod: AskPod | None = None, external_labels: dict[str, str] | None = None) -> Naming:
    return Naming(SCRAPE, external_labels or {}, "node-1", ask_pod)


def test_a_path_is_enough() -> None:
    target = naming()(POD, NEW)
    assert target
    assert target.key == POD.key
    assert target.fields == PATH | {"node": "node-1"}
    assert target.labels == {"cluster": "a", "job": SCRAPE.job_name, "namespace": "shop", "app": "pay"}


def test_metadata_of_the_pod_win_over_its_path() -> None:
    target = naming({POD.key: {"app": "payment", "team": "money"}}.get)(POD, NEW)
    assert target
    assert target.labels["app"] == "payment"
    assert target.labels["team"] == "money"


def test_a_pod_that_is_not_known_yet_has_no_name() -> None:
    assert naming(lambda key: None)(POD, NEW) is None


def test_what_was_saved_stays_and_nobody_is_asked() -> None:
    target = naming(lambda key: None)(POD, SavedTarget({"app": "before", "node": "node-0"}))
    assert target
    assert target.labels["app"] == "before"
    assert target.fields["node"] == "node-0"


def test_a_log_of_no_pod_is_never_asked_for() -> None:
    target = naming(lambda key: None)(PLAIN, NEW)
    assert target
    assert target.fields == {"app": "checkout", "node": "node-1"}


def test_labels_of_the_target_win_over_fixed_ones_and_these_over_the_clients() -> None:
    target = naming(external_labels={"cluster": "b", "app": "x", "job": "y", "zone": "z"})(POD, NEW)
    assert target
    assert target.labels == {
        "cluster": "a", "zone": "z", "job": SCRAPE.job_name, "namespace": "shop", "app": "pay",
    }  # fmt: skip
