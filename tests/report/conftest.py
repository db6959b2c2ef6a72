"""The morning of `lab.outage` as directories of logs, and its report."""

from pathlib import Path

import pytest

from lab import outage
from shipper.report.build import Builder
from shipper.report.gather import Gathered
from shipper.report.model import Report
from shipper.report.sources import logs_of
from tests.report import both_sides

Morning = list[outage.Written]


@pytest.fixture(scope="session")
def morning() -> Morning:
    """All its lines."""
    return outage.lines()


@pytest.fixture(scope="session")
def pods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the kubelet lays them out."""
    root = tmp_path_factory.mktemp("pods")
    outage.write(root)
    return root


@pytest.fixture(scope="session")
def report(pods: Path) -> Report:
    """With every row."""
    return report_of(pods, rows=1000)


@pytest.fixture(scope="session")
def few(pods: Path) -> Report:
    """With as many rows as the command shows unasked."""
    return report_of(pods, rows=8)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Of connections that failed at both sides."""
    root = tmp_path_factory.mktemp("both")
    both_sides.write(root)
    return report_of(root)


def report_of(*paths: Path, rows: int = 10) -> Report:
    """The report of some paths."""
    gathered = Gathered()
    gathered.read(logs_of([str(path) for path in paths]))
    return Builder(gathered, "the logs").report(rows)
