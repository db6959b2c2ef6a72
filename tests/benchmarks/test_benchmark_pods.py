from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import pods
from benchmarks.sink import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


def test_the_agent_knows_every_pod_whose_cost_is_told(sink: Sink, tmp_path: Path) -> None:
    load = pods.Load(rounds=1, seconds=0.2, few=1, many=30, rate=100.0, settle=0.0)
    found = pods.cost(sink, tmp_path, load)
    assert (found.few, found.many, found.rate) == (1, 30, 100.0)
    assert found.startup > 0.05
    assert found.resident > 20 << 20
    assert 0 <= found.busy < 1


def test_fewer_changes_than_the_rate_are_no_result() -> None:
    class Slow:
        def change(self, rate: float, seconds: float) -> int:
            return int(rate * seconds * 0.9)

    with pytest.raises(TimeoutError, match="only 90 changes"):
        pods.change(Slow(), 100.0, 1.0)  # type: ignore[arg-type]


def test_what_does_not_come_true_is_no_result() -> None:
    with pytest.raises(TimeoutError, match="knows all pods"):
        pods.until(lambda: False, "the agent knows all pods", within=0.0)
