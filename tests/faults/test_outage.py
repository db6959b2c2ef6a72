"""Loki is away, and a loud log goes on: the lag tells what is on the disk, and the disk is not filled."""

from collections.abc import Iterator

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
