"""What a release brings beside the image, each naming that image by its digest: the chart's archive, the manifests.

`python -m release.artifacts REPOSITORY DIGEST DIRECTORY`. The files of the tree stay as they are.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from release.helm import CHART, HelmRefused, helm
from release.manifests import PLAIN
from shipper import __version__

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def pinned_values(values: str, repository: str, digest: str) -> str:
    """values.yaml with this image in it."""
    for key, value in (("repository", repository), ("digest", digest)):
        values, count = re.subn(rf"(?m)^(  {key}: )[^\s#]*(?=\s|$)", rf"\g<1>{value}", values)
        _demand_one(f"values.yaml: {key}", count)
    return values


def pinned_manifest(manifest: str, repository: str, digest: str) -> str:
    """A plain manifest with this image in it: the tag is for people, the digest is what counts."""
    image = f"{repository}:{__version__}@{digest}"
    manifest, count = re.subn(r"(?m)^( +image: ).*$", rf"\g<1>{image}", manifest)
    _demand_one("manifest: image", count)
    return manifest


def _demand_one(place: str, count: int) -> None:
    if count != 1:
        raise ValueError(f"{place}: found {count} times, expected once")


def make(repository: str, digest: str, directory: Path) -> None:
    """Write them into a directory. Raises HelmRefused."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in (plain.path for plain in PLAIN):
        (directory / path.name).write_text(pinned_manifest(path.read_text("utf-8"), repository, digest), "utf-8")
    with tempfile.TemporaryDirectory() as temporary:
        chart = shutil.copytree(CHART, Path(temporary) / CHART.name)  # the links become what they lead to
        values = chart / "values.yaml"
        values.write_text(pinned_values(values.read_text("utf-8"), repository, digest), "utf-8")
        helm("package", str(chart), "--destination", str(directory))


def main() -> int:
    """Run the command."""
    if len(sys.argv) != 4 or not DIGEST.fullmatch(sys.argv[2]):
        print("usage: python -m release.artifacts REPOSITORY sha256:DIGEST DIRECTORY", file=sys.stderr)
        return 2
    try:
        make(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    except HelmRefused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
