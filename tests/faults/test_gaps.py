"""Files deleted before they were read are counted and logged; nothing else is."""

import re
from collections.abc import Iterator

import pytest

from lab import faults
from lab.containerd import LogWriter
from lab.lines import timed_out
from tests.faults.whole_agent import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def log(world: World) -> Iterator[LogWriter]:
    with LogWriter(world.root) as log:
        yield log


def unread_when_it_died(world: World, log: LogWriter) -> None:
    """Kill the agent during an outage, when it has read more than it could deliver."""
    world.loki.fault = faults.status(503)
    log.write(timed_out(1))
    log.write(timed_out(2))
    world.start()
    assert world.until(lambda: world.ledger()["pending"] == 2)
    positions = world.root.parent / "positions.json"
    sizes = re.compile(rb'"offset":0,"size":[1-9]')
    assert world.until(lambda: positions.exists() and bool(sizes.search(positions.read_bytes())))
    world.crash()
    world.loki.fault = None


def lost(world: World) -> tuple[float, float]:
    """Lost files and bytes, from the metrics."""
    value = world.metrics.registry.get_sample_value
    return value("shipper_files_lost_total") or 0.0, value("shipper_bytes_lost_total") or 0.0


def test_a_file_that_is_gone_at_the_next_start_is_counted_with_the_bytes_that_were_known(
    world: World, log: LogWriter, caplog: pytest.LogCaptureFixture
) -> None:
    unread_when_it_died(world, log)
    known = log.path.stat().st_size
    log.rotate(1000).unlink()
    log.write(timed_out(3))
    world.start()
    assert world.until(lambda: bool(world.stored))
    assert lost(world) == (1, known)
    assert f"lost at least {known} bytes" in caplog.text


def test_a_pod_that_was_deleted_while_no_agent_ran_is_counted(
    world: World, log: LogWriter, caplog: pytest.LogCaptureFixture
) -> None:
    unread_when_it_died(world, log)
    known = log.path.stat().st_size
    log.delete()
    world.start()
    assert world.until(lambda: lost(world) == (1, known))
    assert "was deleted while no agent ran" in caplog.text


def test_what_was_written_after_the_last_look_and_is_gone_is_said_too(
    world: World, log: LogWriter, caplog: pytest.LogCaptureFixture
) -> None:
    log.write(timed_out(1))
    world.start()
    assert world.until(lambda: bool(world.stored))
    world.stop()
    log.write(timed_out(2))
    log.rotate(1000).unlink()
    log.write(timed_out(3))
    world.start()
    assert world.until(lambda: len(world.stored) == 2)
    assert lost(world) == (1, 0)
    assert "lost an unknown number of bytes" in caplog.text


def test_rotation_and_compression_while_no_agent_runs_are_no_loss(world: World, log: LogWriter) -> None:
    log.write(timed_out(1))
    world.start()
    assert world.until(lambda: bool(world.stored))
    world.stop()
    log.write(timed_out(2))
    log.compress(log.rotate(1000))
    log.write(timed_out(3))
    world.start()
    assert world.until(lambda: len(world.stored) == 3)
    assert lost(world) == (0, 0)
