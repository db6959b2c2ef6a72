"""Which of a pod's metadata become its target's fields."""

from typing import Any

import msgspec
import pytest

from shipper.config.file import parse
from shipper.kubernetes.metadata import ObjectMeta, OwnerReference
from shipper.source.pod_fields import fields_from, log_directories


def fields(text: str = "", **metadata: Any) -> dict[str, str]:
    given = f"scrape_configs: [{{kubernetes: true{text}}}]".encode()
    return fields_from(parse(given, "test.yaml", {}).scrape_configs[0])(ObjectMeta(name="pod-1", **metadata))


@pytest.mark.parametrize(
    ("labels", "app"),
    [
        ({"app": "checkout", "app.kubernetes.io/name": "other"}, "checkout"),
        ({"app.kubernetes.io/name": "checkout", "k8s-app": "other"}, "checkout"),
        ({"app": "", "app.kubernetes.io/name": "checkout"}, "checkout"),
        ({"k8s-app": "dns"}, None),
        (None, None),
    ],
)
def test_the_app_is_the_first_label_that_is_set(labels: dict[str, str] | None, app: str | None) -> None:
    assert fields(labels=labels).get("app") == app


def test_which_labels_name_the_app_is_configured() -> None:
    assert fields(", app_label: [k8s-app]", labels={"app": "other", "k8s-app": "dns"}) == {"app": "dns"}


@pytest.mark.parametrize(
    ("kind", "name", "labels", "app"),
    [
        ("ReplicaSet", "checkout-7d4b9c6f5d", {"pod-template-hash": "7d4b9c6f5d"}, "checkout"),
        ("ReplicaSet", "by-hand-v2", {}, "by-hand-v2"),
        ("ReplicaSet", "by-hand-v2", {"pod-template-hash": "other"}, "by-hand-v2"),
        ("StatefulSet", "ledger", {}, "ledger"),
        ("DaemonSet", "ztunnel", {}, "ztunnel"),
        ("Job", "nightly-29123456", {}, "nightly"),
        ("Job", "migrate-v2", {}, "migrate-v2"),
        ("Tenant", "minio", {}, "minio"),
    ],
)
def test_without_such_a_label_the_app_is_the_workload(kind: str, name: str, labels: dict[str, str], app: str) -> None:
    owners = [OwnerReference("Namespace", "not-this-one"), OwnerReference(kind, name, True)]
    assert fields(labels=labels, owners=owners) == {"app": app}


def test_a_static_pod_is_not_named_after_its_node() -> None:
    pod = ObjectMeta(name="kube-apiserver-node-1", owners=[OwnerReference("Node", "node-1", True)])
    assert fields_from(parse(b"", "test.yaml", {}).scrape_configs[0])(pod) == {"app": "kube-apiserver"}


def test_what_is_asked_for_becomes_fields_and_nothing_else() -> None:
    text = ", pod_labels: {version: app.kubernetes.io/version, team: team}, pod_annotations: {owner: example.com/owner}"
    labels = {"app": "checkout", "app.kubernetes.io/version": "1.2", "secret": "x"}
    found = fields(text, labels=labels, annotations={"example.com/owner": "pay\nments", "other": "y"})
    assert found == {"app": "checkout", "version": "1.2", "owner": "pay\nments"}


def test_an_annotation_is_cut_to_what_loki_takes() -> None:
    text = ", pod_annotations: {note: note}"
    assert len(fields(text, annotations={"note": "é" * 200_000})["note"].encode()) <= 2048


def test_a_static_pod_is_found_by_its_configuration_and_by_its_uid() -> None:
    pod = ObjectMeta(
        name="etcd-a", namespace="kube-system", uid="u-1", annotations={"kubernetes.io/config.hash": "abc"}
    )
    assert log_directories(pod) == ["kube-system_etcd-a_u-1", "kube-system_etcd-a_abc"]


def test_nulls_and_unknown_keys_are_passed_over() -> None:
    text = b'{"name":"a","labels":null,"annotations":null,"ownerReferences":null,"managedFields":[{"x":{"y":1}}]}'
    assert fields_from(parse(b"", "test.yaml", {}).scrape_configs[0])(msgspec.json.decode(text, type=ObjectMeta)) == {}
