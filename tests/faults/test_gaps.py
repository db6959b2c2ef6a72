"""Files deleted before they were read are counted and logged; nothing else is."""

import os
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


# -- targets that are gone without their end having been seen


def shipped(world: World, log: LogWriter, *lines: bytes) -> None:
    """An agent has shipped all of the log and is stopped."""
    for line in lines:
        log.write(line)
    world.start()
    assert world.until(lambda: world.stored >= set(lines))
    world.stop()


def ended(world: World, log: LogWriter) -> None:
    """Nothing was written for long, and an agent has seen that."""
    shipped(world, log, timed_out(1))
    os.utime(log.path, (0, 0))
    world.start()
    assert world.until(lambda: b'"ended":true' in (world.root.parent / "positions.json").read_bytes())


@pytest.mark.parametrize("way", ["stop", "crash"])
def test_a_pod_that_was_written_to_and_is_gone_is_a_lost_file(
    world: World, log: LogWriter, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    log.write(timed_out(1))
    world.start()
    positions = world.root.parent / "positions.json"
    offset = re.compile(rb'"offset":[1-9]')
    assert world.until(lambda: positions.exists() and bool(offset.search(positions.read_bytes())))
    world.stop() if way == "stop" else world.crash()
    log.write(timed_out(2))  # nobody sees it
    log.delete()
    world.start()
    assert world.until(lambda: lost(world) == (1, 0))
    assert "was deleted while no agent ran, and its end was not seen; lost at least 0 bytes" in caplog.text


@pytest.mark.parametrize("way", ["stop", "crash"])
def test_a_pod_that_had_ended_and_was_read_is_no_loss(world: World, log: LogWriter, way: str) -> None:
    ended(world, log)
    world.stop() if way == "stop" else world.crash()
    log.delete()
    with LogWriter(world.root) as other:
        other.write(timed_out(2))
        world.start()
        assert world.until(lambda: timed_out(2) in world.stored)
    assert lost(world) == (0, 0)


def test_a_pod_that_had_ended_and_was_written_to_again_is_a_lost_file(world: World, log: LogWriter) -> None:
    ended(world, log)
    log.write(timed_out(2))
    assert world.until(lambda: timed_out(2) in world.stored)
    world.stop()
    log.delete()
    world.start()
    assert world.until(lambda: lost(world) == (1, 0))


def test_a_container_whose_log_is_gone_and_whose_end_was_not_seen_is_a_lost_file(world: World, log: LogWriter) -> None:
    shipped(world, log, timed_out(1))
    first = log.path
    log.restart()
    log.restart()  # the kubelet keeps one dead container
    first.unlink()
    log.write(timed_out(2))
    world.start()
    assert world.until(lambda: timed_out(2) in world.stored)
    assert lost(world) == (1, 0)


def test_a_container_that_had_a_successor_is_no_loss(world: World, log: LogWriter) -> None:
    first = log.path
    log.write(timed_out(1))
    log.restart()
    shipped(world, log, timed_out(2))
    first.unlink()
    log.restart()
    log.write(timed_out(3))
    world.start()
    assert world.until(lambda: timed_out(3) in world.stored)
    assert lost(world) == (0, 0)
