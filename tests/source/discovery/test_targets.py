import os
from pathlib import Path
from typing import Any

import pytest

from shipper.config import PodLogsConfig
from shipper.source.discovery.targets import Found, Targets

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


# -- parts of the kubelet's layout, and others

PODS = ("shop_payment-0-7d4b9c6f5d-x2x7b_4e3f", "shop_redis-0_4e40")
UID = "0f0e0d0c-0b0a-4908-8706-050403020100"
ID = "8c5f0c0a" * 8
PAYMENT = {
    "namespace": "shop",
    "pod": "payment-0-7d4b9c6f5d-x2x7b",
    "container": "istio-proxy",
    "app": "payment-0",
}


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def found_in(root: Path, watched: Watched, **config: Any) -> list[Found]:
    return list(Targets(root, PodLogsConfig(root=str(root), **config)).scan(watched))


def test_one_pods_directory_is_a_part_of_the_kubelets(tmp_path: Path, watched: Watched) -> None:
    make(tmp_path, f"{POD}/istio-proxy", f"{POD}/app")
    root = tmp_path / POD
    assert found_in(root, watched) == found_in(tmp_path, watched)


@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_one_containers_directory_is_a_part_of_the_kubelets(
    tmp_path: Path, watched: Watched, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    touch(tmp_path, f"{POD}/istio-proxy/0.log", f"{POD}/istio-proxy/1.log", f"{POD}/istio-proxy/1.log.20261130-101010")
    (whole,) = found_in(tmp_path, watched)
    root = tmp_path / POD / "istio-proxy"
    if way == "relative":
        monkeypatch.chdir(root)
        root = Path()
    for found in found_in(root, watched):
        assert (found.key, found.stem, found.fields) == (whole.key, None, whole.fields)


def test_the_directory_of_a_container_that_is_not_configured_is_read_when_it_is_named(
    tmp_path: Path, watched: Watched
) -> None:
    touch(tmp_path, f"shop_web-0_{UID}/app/0.log")
    (found,) = found_in(tmp_path / f"shop_web-0_{UID}/app", watched)
    assert (found.fields["app"], found.fields["container"]) == ("web", "app")


def test_a_number_is_no_app(tmp_path: Path, watched: Watched) -> None:
    touch(tmp_path, "istio-proxy/0.log", "istio-proxy/1.log")
    found = found_in(tmp_path / "istio-proxy", watched)
    assert [(one.key, one.fields) for one in found] == [("0", {"app": "istio-proxy"}), ("1", {"app": "istio-proxy"})]


def test_the_kubelets_links_tell_what_its_directories_do(tmp_path: Path, watched: Watched) -> None:
    stem = f"payment-0-7d4b9c6f5d-x2x7b_shop_istio-proxy-{ID}"
    touch(
        tmp_path,
        f"{stem}.log",
        f"payment-0-7d4b9c6f5d-x2x7b_shop_app-{ID}.log",
        f"dns-0_kube-system_istio-proxy-{ID}.log",
    )
    assert found_in(tmp_path, watched, exclude_namespaces=("kube-system",)) == [
        Found(stem, str(tmp_path), stem, PAYMENT)
    ]


@pytest.mark.parametrize("root", ["bug-report", ".", "bug-report/proxies/.."])
def test_a_bug_report_of_istioctl_is_known_by_its_proxies(tmp_path: Path, watched: Watched, root: str) -> None:
    touch(
        tmp_path,
        "bug-report/proxies/shop/payment-0-7d4b9c6f5d-x2x7b/istio-proxy.log",
        "bug-report/proxies/kube-system/dns-0/istio-proxy.log",
        "bug-report/istio/istio-system/istiod-7d4b9c6f5d-x2x7b/discovery.log",
        "bug-report/cluster/describe-pods",
    )
    (found,) = found_in(tmp_path / root, watched, exclude_namespaces=("kube-system",))
    assert (found.key, found.stem) == ("shop/payment-0-7d4b9c6f5d-x2x7b/istio-proxy", "istio-proxy")
    assert found.fields == PAYMENT
    assert Path(found.directory).samefile(tmp_path / "bug-report/proxies/shop/payment-0-7d4b9c6f5d-x2x7b")


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        ([f"a_p-{n}_1/{name}" for n in range(7) for name in ("kube-proxy", "app")][:-1],
         "no container istio-proxy in 7 pods below ROOT; seen: kube-proxy, app"),
        (["a_p_1/app", "out_p_1/istio-proxy"],
         "no container istio-proxy in 1 pod below ROOT, 1 more are in excluded namespaces; seen: app"),
        ([f"p_a_app-{ID}.log"], "no container istio-proxy in 1 link in ROOT; seen: app"),
        ([], "ROOT is empty"),
        (["pods/a"], "ROOT holds no <name>.log and no pod's directory (<namespace>_<pod>_<uid>); seen: pods"),
    ],
)  # fmt: skip
def test_a_directory_without_a_log_is_told_from_a_wrong_one(tmp_path: Path, paths: list[str], why: str) -> None:
    for path in paths:
        make(tmp_path, path)
    targets = Targets(tmp_path, PodLogsConfig(exclude_namespaces=("out",)))
    assert targets.why_none() == why.replace("ROOT", str(tmp_path))


def test_a_pod_directory_without_the_container_says_what_it_holds(tmp_path: Path) -> None:
    make(tmp_path, f"{POD}/app")
    root = tmp_path / POD
    said = f"no container istio-proxy in the pod's directory {root}; seen: app"
    assert Targets(root, PodLogsConfig()).why_none() == said
