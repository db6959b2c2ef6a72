"""Loki is away, and a loud log goes on: the lag tells what is on the disk, and the disk is not filled."""

from collections.abc import Iterator
from functools import partial

import pytest

from lab import faults
from lab.containerd import LogWriter
from lab.lines import timed_out
from tests.faults.whole_agent import World

MIB = 1 << 20
LINE = 10_000  # bytes


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    world.loki.fault = faults.status(503)
    yield world
    world.close()


@pytest.fixture
def log(world: World) -> Iterator[LogWriter]:
    with LogWriter(world.root) as log:
        yield log


def fill(log: LogWriter, size: int, start: int = 0) -> int:
    """Write so many bytes; the number of the next line."""
    number = start
    while log.path.stat().st_size < size:
        log.write(timed_out(number, padding="x" * LINE))
        number += 1
    return number


def knows(world: World) -> bool:
    """Whether the agent holds open the file that is written to now, after all that were deleted."""
    (target,) = world.targets()
    return bool(target["files"]) and not target["files"][-1]["deleted"] and target["files"][-1]["size"] == 0


def told(world: World, name: str) -> float:
    """The sum of a metric's series."""
    return sum(
        sample.value for family in world.metrics.registry.collect() for sample in family.samples if sample.name == name
    )


def test_the_lag_of_an_outage_is_what_is_on_the_disk(world: World, log: LogWriter) -> None:
    number = 0
    for _ in range(3):
        number = fill(log, 4 * MIB, number)
        log.rotate(1000)
    fill(log, 4 * MIB, number)
    written = 4 * 4 * MIB
    world.start()
    assert world.until(lambda: told(world, "shipper_targets_paused") == 1)
    assert written <= told(world, "shipper_lag_bytes") < written + MIB
    number = fill(log, 8 * MIB, number)
    assert written + 4 * MIB <= told(world, "shipper_lag_bytes") < written + 5 * MIB


def test_deleted_files_do_not_fill_the_disk_in_an_outage_and_what_is_given_up_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World(limits_config=", max_deleted_bytes: 8MiB, max_deleted_percent: 100")
    world.loki.fault = faults.status(503)
    try:
        with LogWriter(world.root) as log:
            world.start()
            assert world.until(lambda: told(world, "shipper_files_open") == 1)
            number = 0
            for _ in range(12):
                number = fill(log, 2 * MIB, number)
                log.rotate(1000).unlink()
                assert world.until(partial(knows, world))
                assert told(world, "shipper_deleted_bytes") <= 8 * MIB
            assert world.until(lambda: told(world, "shipper_bytes_lost_total") > 2 * MIB)
            world.loki.fault = None
            log.write(timed_out(number))
            assert world.until(lambda: timed_out(number) in world.stored)
            assert world.until(lambda: world.ledger()["pending"] == 0)
            lost = number + 1 - len(world.stored)
            assert told(world, "shipper_bytes_lost_total") == pytest.approx(lost * (LINE + 100), rel=0.02)
            assert "is given up; lost" in caplog.text
            assert world.until(lambda: told(world, "shipper_deleted_bytes") == 0)
            world.stop()
    finally:
        world.close()
