"""The size of an image and the files of its layers, from an OCI layout."""

import gzip
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Layer:
    """`packed` is the size that a node pulls, `unpacked` the size on its disk; in bytes."""

    packed: int
    unpacked: int
    files: tuple[str, ...]


def layers(layout: Path) -> list[Layer]:
    """Layers of the layout's only image, the lowest first."""
    index = json.loads((layout / "index.json").read_text())
    manifest = _blob_json(layout, index["manifests"][0]["digest"])
    return [_layer(layout, layer) for layer in manifest["layers"]]


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / Path(*digest.split(":"))


def _blob_json(layout: Path, digest: str) -> Any:
    return json.loads(_blob(layout, digest).read_text())


def _layer(layout: Path, descriptor: dict[str, Any]) -> Layer:
    with gzip.open(_blob(layout, descriptor["digest"])) as unzipped, tarfile.open(fileobj=unzipped, mode="r|") as tar:
        members = [(member.name, member.size) for member in tar if not member.isdir()]
    return Layer(descriptor["size"], sum(size for _, size in members), tuple(name for name, _ in members))


def strays(files: tuple[str, ...]) -> list[str]:
    """Files of an image that are neither the agent's nor bytecode."""
    return [name for name in files if not (name.startswith("opt/shipper/") or name.endswith(".pyc"))]
