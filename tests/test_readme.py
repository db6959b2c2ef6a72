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
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/**/*.md"), ROOT / "benchmarks/README.md"]
    assert len(pages) > 8
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8"))]
    assert len(links) == sum(page.read_text("utf-8").count("](") for page in pages)
    files = [(page, link.partition("#")[0]) for page, link in links if "://" not in link and not link.startswith("#")]
    assert {page for page, _ in files} >= {ROOT / "README.md", ROOT / "docs/operations.md"}
    assert [(page.name, file) for page, file in files if not (page.parent / file).exists()] == []
