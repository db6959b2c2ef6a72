import dataclasses
import json

import pytest

from benchmarks import report
from benchmarks.end_to_end import Result
from benchmarks.living import Idle, Latency
from benchmarks.measure import Measured, Results, Startup
from benchmarks.plan import SHORT, Point
from benchmarks.pods import Cost
from benchmarks.push import Push
from benchmarks.stages import Stage

POINT = SHORT.anchors[0]
RUN = Result(size=2_000_000_000, lines=1000, entries=7, cpu=1.5, wall=2.5, peak=50, pushes=4, pushed=9, first_push=0.4)


def measured(*cpus: float, floors: dict[str, list[float]], point: Point = POINT) -> Measured:
    runs = [dataclasses.replace(RUN, cpu=cpu) for cpu in cpus]
    return Measured.of("this agent", point, runs, floors, Startup(cpu=0.5, wall=0.5))


def test_start_up_is_subtracted_and_medians_are_per_gigabyte() -> None:
    found = measured(1.5, 2.5, 9.0, floors={"read": [0.2, 0.2, 0.2]})
    assert found.cpu_per_gb == 1.0
    assert found.floors == {"read": pytest.approx(0.1)}
    assert found.mb_per_second == pytest.approx(1000)
    assert found.lines_per_second == pytest.approx(500)
    assert found.pushes_per_gb == 2


def test_a_ratio_is_that_of_one_round_and_not_of_medians() -> None:
    # a machine that becomes three times slower: each round has the same ratio
    found = measured(1.5, 3.5, 1.5, floors={"read": [0.2, 0.6, 0.2]})
    assert found.ratios["read"] == pytest.approx(5.0)


def test_a_run_that_was_cheaper_than_a_start_costs_nothing_and_no_less() -> None:
    assert measured(0.4, floors={"read": [0.1]}).cpu_per_gb == 0.0


@pytest.fixture
def results() -> Results:
    points = {*SHORT.points, *SHORT.peers}
    floors = {"read": [0.2], "scan": [0.3], "parse": [3.0]}
    return Results(
        startup={"this agent": Startup(0.25, 0.3)},
        measured=[measured(1.5, floors=floors, point=point) for point in sorted(points, key=str)],
        stages=[Stage("scan", "block", 70.0)],
        push=Push(1e-4, 1.2e-4, 2e-4),
        idle={"this agent": [Idle(200, 10.0, 0.0025, 50 << 20)]},
        pods=Cost(0.4, 20, 52 << 20, 10_000, 5 << 20, 1000.0, 0.001, 0.014),
        latency={"this agent, default": Latency(600, 0.25, 0.26, 0.3, 0.02, 400)},
        errors=["Promtail: it did not end within 5 s"],
    )


def test_the_report_tells_every_measurement(results: Results) -> None:
    text = report.markdown(SHORT, results)
    told = ["0.25%", "p50 250.0 ms", "sender 2.00 times bare", "5.0 times read (goal 3)", "it did not end within 5 s"]
    told += [str(point) for point in SHORT.points]
    told += ("0.40 CPU s (goal 0.9)", "52.0 MiB (goal 84)", "5.0 MiB more (goal 16)", "1.30% of a core above 0.10%")
    assert [words for words in told if words not in text] == []
    for table in text.split("\n\n"):
        if table.startswith("|"):
            assert len({row.count("|") for row in table.splitlines()}) == 1


def test_the_document_is_json_and_the_plot_has_a_point_for_each_corpus(results: Results) -> None:
    told = json.loads(report.dump(report.document(SHORT, results)))
    assert told["plan"] == "short"
    assert len(told["measured"]) == len(results.measured)
    sizes, files, shares = len(SHORT.sizes) + 1, len(SHORT.files) + 1, len(SHORT.shares) + 3
    assert report.plot(SHORT, results).count("<circle") == 3 * (sizes + files + shares)
