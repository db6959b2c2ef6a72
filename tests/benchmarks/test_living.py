from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import living
from benchmarks.living import Logs
from benchmarks.shipper import agent
from benchmarks.sink import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


def test_lines_go_to_all_files_and_one_in_so_many_is_kept(tmp_path: Path) -> None:
    with Logs(tmp_path, 4) as logs:
        assert logs.write_for(0.0, 1.0, 2) == 0
        for at in range(8):
            logs.write(kept=at % 2 == 1)
    texts = [path.read_bytes() for path in tmp_path.glob("*/istio-proxy/0.log")]
    assert [text.count(b"\n") for text in texts] == [3, 3, 3, 3]
    assert sum(text.count(b'"response_flags":"UT"') for text in texts) == 4


def test_latency_is_that_of_every_line(sink: Sink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "SETTLE", 0.0)
    shipper = agent(once=False, client={"batchwait": "0s"})
    found = living.latency(shipper, sink, tmp_path / "scratch", files=2, rate=50.0, seconds=0.2)
    assert found.lines == 10
    assert 0 < found.p50 <= found.p99 <= found.most
    assert found.pushes > 0
