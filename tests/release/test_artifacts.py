"""Chart and manifest of a release name its image by the digest, and are else those of the tree."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from release.artifacts import make, pinned_manifest, pinned_values
from release.helm import CHART, ROOT, helm
from release.manifests import MANIFEST
from shipper import __version__
from tests.deploy.chart import needs_helm, pod_of

REPOSITORY = "registry.test:5000/team/mtls-shipper"
DIGEST = "sha256:" + "5891b5b522d5df08" * 4
IMAGE = f"{REPOSITORY}:{__version__}@{DIGEST}"


def test_the_values_name_the_image_and_nothing_else_changes() -> None:
    text = (CHART / "values.yaml").read_text("utf-8")
    before: dict[str, Any] = yaml.safe_load(text)
    before["image"] |= {"repository": REPOSITORY, "digest": DIGEST}
    assert yaml.safe_load(pinned_values(text, REPOSITORY, DIGEST)) == before


def test_the_manifest_names_the_image_and_nothing_else_changes() -> None:
    text = MANIFEST.read_text("utf-8")
    pinned = pinned_manifest(text, REPOSITORY, DIGEST)
    assert pod_of(list(yaml.safe_load_all(pinned)))["containers"][0]["image"] == IMAGE
    assert pinned.replace(IMAGE, "") == text.replace(f"registry.example.com/mtls-shipper:{__version__}", "")


def test_a_file_in_which_the_image_is_not_found_is_named() -> None:
    with pytest.raises(ValueError, match=r"values\.yaml: repository"):
        pinned_values("image: {}\n", REPOSITORY, DIGEST)


@needs_helm
def test_the_archive_installs_the_image_that_the_manifest_names(tmp_path: Path) -> None:
    make(REPOSITORY, DIGEST, tmp_path / "dist")
    archive = tmp_path / "dist" / f"mtls-shipper-{__version__}.tgz"
    assert {path.name for path in archive.parent.iterdir()} == {archive.name, "daemonset.yaml", "directory.yaml"}
    assert IMAGE in (archive.parent / "directory.yaml").read_text("utf-8")
    text = helm("template", "mtls-shipper", str(archive), "--set", "withoutHelm.enabled=true")
    assert pod_of(list(yaml.safe_load_all(text)))["containers"][0]["image"] == IMAGE
    assert "registry.example.com" in (CHART / "values.yaml").read_text("utf-8")  # the tree's own is as it was


@pytest.mark.parametrize("arguments", [[], [REPOSITORY, "latest", "dist"], [REPOSITORY, DIGEST]])
def test_a_slip_on_the_command_line_is_told_and_makes_nothing(arguments: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "release.artifacts", *arguments]
    environ = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
    assert list(tmp_path.iterdir()) == []
