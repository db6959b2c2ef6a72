"""Relabelling: which containers and namespaces are read, and which labels come of it."""

import pytest

from shipper.promtail.notes import Kind
from tests.promtail.imported import relabelled

CONTAINER = "source_labels: [__meta_kubernetes_pod_container_name]"
NAMESPACE = "source_labels: [__meta_kubernetes_namespace]"
NAMED = "source_labels: [__meta_kubernetes_pod_label_app], target_label: app"


def test_containers_that_are_kept() -> None:
    found = relabelled(
        f"{CONTAINER}, action: keep, regex: 'istio-proxy|envoy'", f"{CONTAINER}, action: keep, regex: envoy"
    )
    assert found.config.scrape_configs[0].pod_logs.containers == ("envoy",)


def test_containers_by_a_pattern_cannot_be_said() -> None:
    found = relabelled(f"{CONTAINER}, action: keep, regex: 'istio-.*'")
    assert found.lines("containers are listed by name", Kind.LOST) == [5]
    assert found.config.scrape_configs[0].pod_logs.containers == ("istio-proxy",)


def test_namespaces_that_are_dropped_are_excluded() -> None:
    found = relabelled(f"{NAMESPACE}, action: drop, regex: a|b", f"{NAMESPACE}, action: drop, regex: b|c")
    assert found.config.scrape_configs[0].pod_logs.exclude_namespaces == ("a", "b", "c")


@pytest.mark.parametrize(
    "step",
    [
        f"{NAMESPACE}, action: keep, regex: prod",
        f"{NAMESPACE}, action: drop, regex: 'kube-.*'",
        "source_labels: [__meta_kubernetes_pod_label_audit], action: keep, regex: 'true'",
        "source_labels: [__meta_kubernetes_pod_phase], action: drop, regex: Succeeded",
        "source_labels: [a], target_label: b, action: keepequal",
    ],
)
def test_a_choice_that_cannot_be_made_here_is_warned_of(step: str) -> None:
    assert 5 in [line for kind, line, _, _ in relabelled(step).said if kind is Kind.WARNING]


def test_a_choice_by_node_is_none() -> None:
    step = "source_labels: [__meta_kubernetes_pod_node_name], action: keep, regex: here"
    assert 5 not in [line for _, line, _, _ in relabelled(step).said]


def test_app_comes_from_the_pods_labels() -> None:
    scrape = relabelled(NAMED).config.scrape_configs[0]
    assert (scrape.kubernetes, scrape.app_label, scrape.labels) == (True, ("app",), ("app",))


def test_app_that_comes_from_the_pods_name() -> None:
    found = relabelled("source_labels: [__meta_kubernetes_pod_name], target_label: app")
    assert not found.config.scrape_configs[0].kubernetes
    assert found.lines("app is the pod's name without", Kind.CHANGED) == [5]


def test_other_labels_and_annotations_of_pods() -> None:
    found = relabelled(
        "source_labels: [__meta_kubernetes_pod_label_team_name], target_label: team",
        "source_labels: [__meta_kubernetes_pod_annotation_owner], target_label: owner",
    )
    scrape = found.config.scrape_configs[0]
    assert (scrape.pod_labels, scrape.pod_annotations) == ({"team": "team_name"}, {"owner": "owner"})
    assert "# an underscore may stand for a dot, a slash or a hyphen" in found.text


def test_the_job_is_named_by_a_constant_only() -> None:
    assert relabelled("target_label: job, replacement: envoy").config.scrape_configs[0].job_name == "envoy"
    found = relabelled("source_labels: [namespace, app], separator: /, target_label: job")
    assert found.config.scrape_configs[0].job_name == "mesh"
    assert found.lines("the label job is the same for all streams", Kind.LOST) == [5]


def test_a_constant_is_a_fixed_label() -> None:
    assert relabelled("target_label: site, replacement: berlin").config.scrape_configs[0].static_labels == {
        "site": "berlin"
    }


def test_labels_of_the_target_by_other_names() -> None:
    found = relabelled(f"{NAMESPACE}, target_label: kubernetes_namespace")
    assert found.config.scrape_configs[0].labels == ("namespace",)
    assert found.lines("'kubernetes_namespace' is called 'namespace'", Kind.CHANGED) == [5]


def test_labels_that_are_dropped_again() -> None:
    found = relabelled(f"{NAMESPACE}, target_label: namespace", NAMED, "action: labeldrop, regex: namespace|x")
    assert found.config.scrape_configs[0].labels == ("app",)
    found = relabelled(f"{NAMESPACE}, target_label: namespace", NAMED, "action: labelkeep, regex: namespace")
    assert found.config.scrape_configs[0].labels == ("namespace",)


@pytest.mark.parametrize(
    "step",
    [
        "action: labelmap, regex: __meta_kubernetes_pod_label_(.+)",
        "action: labeldrop, regex: 'a.*'",
        "source_labels: [a], target_label: b, action: lowercase",
        "source_labels: [a], target_label: b, action: hashmod, modulus: 3",
        "source_labels: [a, b], target_label: c, separator: /",
        "action: nonsense",
        "target_label: site, replacement: x, colour: red",
        "target_label: __path_exclude__, replacement: /x",
    ],
)
def test_what_cannot_be_said_is_told(step: str) -> None:
    assert 5 in [line for kind, line, _, _ in relabelled(step).said if kind is Kind.LOST]


@pytest.mark.parametrize(
    ("path", "root", "containers"),
    [
        ("/var/log/pods/*$1/*.log", "/var/log/pods", ("istio-proxy",)),
        ("/var/log/pods/*/envoy/*.log", "/var/log/pods", ("envoy",)),
        ("/var/log/pods/*/{a,b}/*.log", "/var/log/pods", ("a", "b")),
        ("/var/log/containers/*.log", "/var/log/pods", ("istio-proxy",)),
        ("/data/logs/**/*.log", "/data/logs", ("istio-proxy",)),
        ("*.log", "/var/log/pods", ("istio-proxy",)),
    ],
)
def test_the_path_says_which_directory(path: str, root: str, containers: tuple[str, ...]) -> None:
    pod_logs = relabelled(f"target_label: __path__, replacement: '{path}'").config.scrape_configs[0].pod_logs
    assert (pod_logs.root, pod_logs.containers) == (root, containers)


@pytest.mark.parametrize("path", ["/data/*.log", "*.log", "/var/log/pods/prod_*/x/*.log"])
def test_a_path_that_says_more_than_we_can(path: str) -> None:
    found = relabelled(f"target_label: __path__, replacement: '{path}'")
    assert 5 in [line for kind, line, _, _ in found.said if kind is Kind.WARNING]
