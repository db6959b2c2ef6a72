import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.config import PodLogsConfig
from shipper.source.discovery.targets import Found, Targets, app_of

POD = "shop_payment-service-7d4b9c6f5d-x2x7k_4e3f"


class Watched(list[str]):
    def __call__(self, directory: str) -> None:
        self.append(directory)


@pytest.fixture
def watched() -> Watched:
    return Watched()


@pytest.fixture
def targets(tmp_path: Path) -> Targets:
    return Targets(tmp_path, PodLogsConfig(containers=("istio-proxy", "ztunnel"), exclude_namespaces=("kube-system",)))


def make(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).mkdir(parents=True, exist_ok=True)


def test_a_container_is_known_by_its_path(targets: Targets, tmp_path: Path, watched: Watched) -> None:
    make(tmp_path, f"{POD}/istio-proxy", f"{POD}/app")
    fields = {
        "namespace": "shop",
        "pod": "payment-service-7d4b9c6f5d-x2x7k",
        "uid": "4e3f",
        "container": "istio-proxy",
        "app": "payment-service",
    }
    assert list(targets.scan(watched)) == [Found(f"{POD}/istio-proxy", f"{tmp_path}/{POD}/istio-proxy", None, fields)]


def test_each_wanted_container_of_a_pod_is_a_target(targets: Targets, tmp_path: Path, watched: Watched) -> None:
    make(tmp_path, "istio-system_ztunnel-x2x7k_1/ztunnel", "istio-system_ztunnel-x2x7k_1/istio-proxy")
    assert {found.fields["container"] for found in targets.scan(watched)} == {"istio-proxy", "ztunnel"}


def test_an_excluded_namespace_is_not_read(targets: Targets, tmp_path: Path, watched: Watched) -> None:
    make(tmp_path, "kube-system_pay-0_1/istio-proxy")
    assert list(targets.scan(watched)) == []


@pytest.mark.parametrize("name", ["", "a_b", "a_b_c_d", "__", "a__c", "plain", "a_\udcff_c", "a_b\n_c"])
def test_other_directories_are_no_pods(targets: Targets, tmp_path: Path, name: str, watched: Watched) -> None:
    make(tmp_path, f"{name}/istio-proxy")
    assert list(targets.scan_name(name, watched)) == []


def test_a_directory_is_watched_before_it_is_listed(targets: Targets, tmp_path: Path, watched: Watched) -> None:
    make(tmp_path, f"{POD}/istio-proxy")
    scanning = targets.scan(watched)
    (tmp_path / "unseen").mkdir()
    next(scanning)
    assert watched == [str(tmp_path), f"{tmp_path}/{POD}", f"{tmp_path}/{POD}/istio-proxy"]


def test_a_pod_without_its_container_is_watched_for_it(targets: Targets, tmp_path: Path, watched: Watched) -> None:
    make(tmp_path, POD)
    assert list(targets.scan(watched)) == []
    assert f"{tmp_path}/{POD}" in watched


def test_a_plain_directory_is_a_target_a_stem(targets: Targets, tmp_path: Path, watched: Watched) -> None:
    for name in ("a.log", "a.log.1", "b.log", "notes.txt", "only-rotated.log.2.gz"):
        (tmp_path / name).touch()
    found = {one.key: one for one in targets.scan(watched)}
    assert found == {stem: Found(stem, str(tmp_path), stem, {"app": stem}) for stem in ("a", "b", "only-rotated")}


def test_a_pod_we_may_not_look_into_hides_no_other(
    targets: Targets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: Watched
) -> None:
    make(tmp_path, "a_secret-0_1/istio-proxy", f"{POD}/istio-proxy")
    real = os.stat

    def stat(path: Any, **more: Any) -> os.stat_result:
        if "secret" in str(path):
            raise PermissionError(13, "Permission denied")
        return real(path, **more)

    monkeypatch.setattr(os, "stat", stat)
    assert [found.key for found in targets.scan(watched)] == [f"{POD}/istio-proxy"]


def test_a_root_that_is_not_there_is_told(targets: Targets, tmp_path: Path, watched: Watched) -> None:
    tmp_path.rmdir()
    with pytest.raises(FileNotFoundError):
        list(targets.scan(watched))


@pytest.mark.parametrize(
    ("pod", "app"),
    [
        ("payment-service-7d4b9c6f5d-x2x7k", "payment-service"),
        ("backup-28374650-x2x7k", "backup"),
        ("indexed-3-x2x7k", "indexed"),
        ("node-agent-x2x7k", "node-agent"),
        ("postgres-12", "postgres"),
        ("payment-service", "payment-service"),
        ("-x2x7k", "-x2x7k"),
    ],
)
def test_an_app_is_a_pod_without_what_was_generated(pod: str, app: str) -> None:
    assert app_of(pod) == app


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,60}[a-z0-9])?", fullmatch=True))
def test_every_pod_is_of_some_app(pod: str) -> None:
    assert app_of(pod)
    assert pod.startswith(app_of(pod))
