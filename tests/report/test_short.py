"""A pile of a few seconds: nothing can be said of a moment in it."""

from pathlib import Path

import pytest

from lab import outage
from lab.containerd import SECOND, cri_line
from tests.report.conftest import Morning, report_of


@pytest.mark.parametrize("lasts", [1, 2, 5, 30])
def test_seconds_have_no_moment(morning: Morning, tmp_path: Path, lasts: int) -> None:
    within = [line for line in morning if 0 <= line.nanos - outage.EXPIRY < lasts * SECOND]
    (tmp_path / "a.log").write_bytes(b"".join(cri_line(line.nanos, line.content) for line in within))
    report = report_of(tmp_path)
    assert [finding for finding in report.findings if finding.kind == "moment"] == []
