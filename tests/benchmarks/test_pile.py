"""The piles of the report's benchmark are what they are called."""

from itertools import islice
from pathlib import Path

import pytest

from benchmarks.pile import days
from lab import outage
from tests.report.conftest import report_of

EACH = 1200 + outage.REPEATED  # lines of failures in a day


@pytest.mark.parametrize(
    ("new_connections", "new_clients", "failed"),
    [(False, False, 1200), (True, False, 2 * EACH), (True, True, 2 * EACH)],
)
def test_two_days(new_connections: bool, new_clients: bool, failed: int, tmp_path: Path) -> None:
    file = tmp_path / "pile.log"
    file.write_bytes(b"".join(islice(days(new_connections=new_connections, new_clients=new_clients), 2)))
    found = report_of(file)
    assert found.seen == {"downstream": failed}
    assert (found.sides["downstream"].pairs > 1000) == new_clients
