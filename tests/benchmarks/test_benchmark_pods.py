from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import pods
from benchmarks.sink import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FEW": 1, "MANY": 30, "RATE": 100.0, "SETTLE": 0.0}.items():
        monkeypatch.setattr(pods, name, value)


def test_the_agent_knows_every_pod_whose_cost_is_told(sink: Sink, tmp_path: Path) -> None:
    found = pods.cost(sink, tmp_path, rounds=1, seconds=0.2)
    assert (found.few, found.many, found.rate) == (1, 30, 100.0)
    assert found.startup > 0.05
    assert found.resident > 20 << 20
    assert 0 <= found.busy < 1


def test_fewer_changes_than_the_rate_are_no_result() -> None:
    class Slow:
        def change(self, rate: float, seconds: float) -> int:
            return int(rate * seconds * 0.9)

    with pytest.raises(TimeoutError, match="90 changes only"):
        pods._change(Slow(), 1.0)  # type: ignore[arg-type]


def test_what_does_not_come_true_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "WITHIN", 0.0)
    with pytest.raises(TimeoutError, match="knows all pods"):
        pods._until(lambda: False, "the agent knows all pods")
