"""What Helm makes of the chart."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from release.helm import CHART, HELM, MISSING, helm
from tests.deploy.rendered import Manifest

VALUES: Final = sorted((CHART / "ci").glob("*-values.yaml"))

needs_helm: Final = pytest.mark.skipif(HELM is None, reason=MISSING)


def values_file(name: str) -> str:
    return str(CHART / "ci" / f"{name}-values.yaml")


@cache
def rendered(*arguments: str, release: str = "mtls-shipper", namespace: str = "mtls-shipper") -> list[Manifest]:
    """The manifests of a release. Not to be changed: they are made once."""
    text = helm("template", release, str(CHART), "--namespace", namespace, *arguments)
    return [document for document in yaml.safe_load_all(text) if document is not None]


def rendered_from(file: Path | str) -> list[Manifest]:
    """The same with a file of values."""
    return rendered("--values", str(file))


def config_of(manifests: list[Manifest]) -> str:
    """The agent's configuration among them, YAML."""
    name = pod_of(manifests)["volumes"][0]["configMap"]["name"]
    (config,) = (found for found in manifests if (found["kind"], found["metadata"]["name"]) == ("ConfigMap", name))
    return str(config["data"]["config.yaml"])


def pod_of(manifests: list[Manifest]) -> dict[str, Any]:
    """The agent's pod."""
    (spec,) = (found["spec"]["template"]["spec"] for found in manifests if found["kind"] == "DaemonSet")
    return dict(spec)
