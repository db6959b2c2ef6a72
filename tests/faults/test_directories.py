"""What is done to directories, links and names of logs: all is noticed at once, and nothing is lost."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab.containerd import LogWriter
from lab.lines import timed_out
from tests.faults.whole_agent import TIMING, World

BY_WATCHES_ALONE = replace(TIMING, rescan=1e9)


@pytest.fixture
def world() -> Iterator[World]:
    world = World(timing=BY_WATCHES_ALONE)
    yield world
    world.close()


def is_stored(world: World, *numbers: int) -> bool:
    return world.until(lambda: world.stored >= {timed_out(number) for number in numbers}, 10)


def add(path: Path, number: int) -> None:
    with path.open("ab") as file:
        file.write(timed_out(number) + b"\n")


def test_a_static_pod_that_is_made_again_under_its_uid_loses_nothing(world: World) -> None:
    with LogWriter(world.root, pod="other-0") as other:
        other.write(timed_out(100))
        world.start()
        assert is_stored(world, 100)
        for number in range(5):  # its directory was deleted a moment before
            with LogWriter(world.root, pod="static-0", uid="same") as log:
                log.write(timed_out(number))
                assert is_stored(world, number)
                log.delete()


def test_a_static_pod_is_found_again_while_its_old_log_is_not_settled(world: World) -> None:
    world.start()
    for number in range(5):
        with LogWriter(world.root, pod="static-0", uid="same") as log:
            log.write(timed_out(number))
            assert world.until(partial(world.holds, log.directory), 10)
            log.delete()
    assert is_stored(world, *range(5))


def test_a_log_behind_a_link_is_followed_over_its_rotation(world: World) -> None:
    real = world.root.parent / "real"
    real.mkdir()
    add(real / "0.log", 0)
    (world.root / "app.log").symlink_to(real / "0.log")
    world.start()
    assert is_stored(world, 0)
    add(real / "0.log", 1)
    assert is_stored(world, 1)
    (real / "0.log").rename(real / "0.log.1")
    world.breathe(0.2)  # longer than an idle file is waited for
    add(real / "0.log", 2)
    assert is_stored(world, 2)


def test_a_rotation_with_a_date_while_no_agent_ran_is_no_loss(world: World, caplog: pytest.LogCaptureFixture) -> None:
    log = world.root / "app.log"
    (world.root / "app.log-20261127.xz").write_bytes(b"\xfd7zXZ\0" + b"x" * 1000)
    (world.root / "app.log-20261128.bz2").write_bytes(b"BZh91AY&SY" + b"x\n" * 1000)
    add(log, 0)
    world.start()
    assert is_stored(world, 0)
    world.stop()
    add(log, 1)
    log.rename(world.root / "app.log-20261129")
    add(log, 2)
    world.start()
    assert is_stored(world, 1, 2)
    assert world.metrics.registry.get_sample_value("shipper_files_lost_total") == 0
    assert world.ledger()["filtered"] == 0
    assert caplog.text.count("app.log-20261128.bz2 is compressed in a way that is not read") == 2  # once by each agent


def test_a_root_that_is_a_link_and_is_turned_elsewhere_is_noticed_at_once(world: World) -> None:
    directories = [world.root.with_name(name) for name in ("first", "second")]
    world.root.rename(directories[0])
    directories[1].mkdir()
    world.root.symlink_to(directories[0])
    add(directories[0] / "app.log", 0)
    world.start()
    assert is_stored(world, 0)
    add(directories[1] / "app.log", 1)
    new = world.root.with_name("new")
    new.symlink_to(directories[1])
    new.rename(world.root)
    assert is_stored(world, 1)
    add(directories[1] / "app.log", 2)
    add(directories[1] / "other.log", 3)
    assert is_stored(world, 2, 3)
