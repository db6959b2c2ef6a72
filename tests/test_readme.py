"""The README tells of what there is: each metric, each file it points to."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from shipper.metrics import Metrics

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def metrics() -> set[str]:
    """What the agent's own registry holds."""
    registry = CollectorRegistry()
    Metrics(registry)
    families = {family.name: family.type for family in registry.collect()}
    return {f"{name}_total" if kind == "counter" else name for name, kind in families.items()}


def test_every_metric_is_explained() -> None:
    assert {name for name in metrics() if f"`{name}`" not in README} == set()


def test_no_metric_is_told_of_that_there_is_not() -> None:
    gauges = re.findall(r'"(shipper_\w+)"', (ROOT / "shipper/source/status.py").read_text("utf-8"))
    told = set(re.findall(r"`((?:shipper|mtls)_[a-z_]+)`", README))
    assert told - metrics() - set(gauges) - {"mtls_shipper"} == set()


def test_every_file_it_points_to_exists() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md"), ROOT / "benchmarks/README.md"]
    missing = [
        (page.name, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]
    assert missing == []
