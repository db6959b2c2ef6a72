from dataclasses import replace
from pathlib import Path

from benchmarks import directory
from benchmarks.cluster import address, place_of, pod
from benchmarks.directory import Load

SMALL = Load(
    pods=600, nodes=10, changes=50.0, questions=100.0, batches=(5, 10), age=2.0, seconds=0.5, later=0.2, former=20,
    fill=50.0,
)  # fmt: skip


def test_the_cost_of_a_small_cluster_is_told_and_its_answers_are_right(tmp_path: Path) -> None:
    found = directory.cost(tmp_path, SMALL)
    assert found.empty <= found.listing <= found.peak
    assert found.ready_cpu > 0
    assert 0 < found.ready < directory.READY
    assert [(one.batch, one.age) for one in found.answering] == [(5, 2.0), (10, 2.0), (10, 1.2)]
    assert all(one.asked.asked == 50 for one in (*found.answering, found.full_answering))
    assert found.full_answering.asked.kinds["pod"] > 0
    assert len(directory.rows(found, SMALL)) == 12


def test_the_name_of_a_pod_tells_its_place_and_no_two_at_a_time_share_an_address() -> None:
    assert [place_of(pod(place, 7, generation).name) for place in (0, 70_000) for generation in (0, 12)] == [
        0, 0, 70_000, 70_000,
    ]  # fmt: skip
    assert len({address(place) for place in range(100_000)}) == 100_000
    assert replace(pod(3, 7, 1), uid="", name="") == replace(pod(3, 7, 0), uid="", name="")
