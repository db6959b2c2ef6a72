"""The container is as the manifest says, and errors in an image's configuration are reported."""

import pytest

from image.bundle import Json, complaints, size, spec, with_command, with_environment
from image.node import MOUNTS, Manifest
from shipper.config.file import parse

IMAGE: Json = {
    "User": "10001:0",
    "Entrypoint": ["shipper"],
    "Env": ["PATH=/opt/shipper/bin:/usr/bin", "PYTHONDONTWRITEBYTECODE=1"],
    "WorkingDir": "/var/lib/shipper",
}
VOLUMES = {target: f"/node/{name}" for target, name in MOUNTS.items()}


@pytest.fixture
def manifest() -> Manifest:
    return Manifest.read()


@pytest.fixture
def made(manifest: Manifest) -> Json:
    return spec(IMAGE, manifest.pod, VOLUMES, "/image", {"NODE_NAME": "node-1"}, {"defaultAction": "x"})


def test_it_may_do_what_the_manifest_allows(made: Json) -> None:
    process = made["process"]
    assert made["root"] == {"path": "/image", "readonly": True}
    assert process["user"] == {"uid": 10001, "gid": 0}
    assert process["noNewPrivileges"] is True
    assert set(map(tuple, process["capabilities"].values())) == {()}
    assert {"type": "pid"} in made["linux"]["namespaces"]
    assert made["linux"]["resources"]["memory"]["limit"] == 192 << 20


def test_it_starts_what_image_and_manifest_name(made: Json) -> None:
    process = made["process"]
    assert process["args"] == ["shipper", "run", "--config.file", "/etc/shipper/config.yaml"]
    assert process["env"] == [*IMAGE["Env"], "NODE_NAME=node-1"]
    assert process["cwd"] == "/var/lib/shipper"


def test_every_mount_of_the_manifest_is_there_and_only_the_state_can_be_written(made: Json, manifest: Manifest) -> None:
    bound = {mount["destination"]: mount["options"] for mount in made["mounts"] if mount["type"] == "bind"}
    assert {mount["mountPath"] for mount in manifest.pod["containers"][0]["volumeMounts"]} < bound.keys()
    assert [target for target, options in bound.items() if "ro" not in options] == ["/var/lib/shipper"]


def test_capabilities_that_the_manifest_would_add_are_not_lost_in_silence(manifest: Manifest) -> None:
    manifest.pod["containers"][0]["securityContext"]["capabilities"]["add"] = ["NET_ADMIN"]
    with pytest.raises(ValueError, match="capabilities"):
        spec(IMAGE, manifest.pod, VOLUMES, "/image", {}, {})


def test_another_program_or_variable_changes_nothing_else(made: Json) -> None:
    other = with_environment(with_command(made, ["python3"]), {"A": "b"})
    assert other["process"]["args"] == ["python3"]
    assert other["process"]["env"] == [*made["process"]["env"], "A=b"]
    assert {key: other[key] for key in other if key != "process"} == {
        key: made[key] for key in made if key != "process"
    }
    assert made["process"]["args"][0] == "shipper"


def test_the_configuration_is_the_manifests_but_for_loki_and_the_port(manifest: Manifest) -> None:
    config = parse(manifest.configuration("http://127.0.0.1:1/push", 2).encode(), "config.yaml", {"NODE_NAME": "n"})
    assert (config.clients[0].url, config.server.http_listen_port) == ("http://127.0.0.1:1/push", 2)
    assert config.server.http_listen_address == "127.0.0.1"
    assert config.clients[0].external_labels == manifest.config["clients"][0]["external_labels"]
    assert config.scrape_configs[0].kubernetes is True


def test_a_good_configuration_has_nothing_to_complain_about() -> None:
    assert complaints(IMAGE) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"User": "shipper"}, "not a number"),
        ({"User": ""}, "not a number"),
        ({"Entrypoint": ["/bin/sh", "-c", "shipper"]}, "a shell"),
        ({"Entrypoint": None}, "a shell or nothing"),
        ({"Env": []}, "bytecode"),
        ({"Healthcheck": {"Test": ["CMD", "true"]}}, "HEALTHCHECK"),
        ({"Volumes": {"/data": {}}}, "volume"),
    ],
)
def test_each_fault_is_said(change: Json, complaint: str) -> None:
    (said,) = complaints({**IMAGE, **change})
    assert complaint in said


def test_quantities_are_bytes() -> None:
    assert [size("64Ki"), size("192Mi"), size("1Gi")] == [1 << 16, 192 << 20, 1 << 30]
