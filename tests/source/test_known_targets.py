"""The look-back is for targets of which nothing is known: of a known one all that was written since is read."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.containerd import SECOND, LogWriter
from shipper.source.positions.file import SavedTarget
from shipper.source.tail.handles import Handle, OpenLog, open_log
from shipper.source.tail.look_back import StartPolicy
from shipper.source.tail.names import LogName
from tests.source.reading import Kept, MakeFollowing, MakeReading

HOUR = 3600 * SECOND
START = 1_800_000_000 * SECOND


class Clock:
    """The node's, in ns since 1970."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


class Guard:
    """Opens logs, but for those that may not be read."""

    def __init__(self, *names: str) -> None:
        self.forbidden = set(names)

    def __call__(self, path: str, name: LogName) -> Handle:
        if name.text in self.forbidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        return open_log(path, name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def aged(log: LogWriter, clock: Clock) -> Callable[[bytes], None]:
    """Writes a line of this time by the clock."""

    def write(line: bytes) -> None:
        log.write(line, nanos=clock.now)
        os.utime(log.path, ns=(clock.now, clock.now))

    return write


def policy(clock: Clock, since: int | None = None) -> StartPolicy:
    return StartPolicy(3600.0, clock, since)


def known(saved: SavedTarget, clock: Clock) -> StartPolicy:
    return policy(clock).of_known(saved.since)


async def test_what_was_made_and_rotated_while_no_agent_ran_is_read(
    follow: MakeFollowing, log: LogWriter, kept: Kept, clock: Clock, aged: Callable[[bytes], None]
) -> None:
    aged(kept(1))
    following = follow(log.directory, start_policy=policy(clock))
    assert await following.read() == [kept(1)]
    following.settle()
    saved = following.saved
    clock.now += 30 * 60 * SECOND
    log.rotate()
    aged(kept(2))
    log.rotate()
    clock.now += 3 * HOUR
    aged(kept(3))
    heir = following.restart(saved, start_policy=known(saved, clock))
    assert await heir.read() == [kept(2), kept(3)]
    assert not heir.files.take_losses()


async def test_what_was_too_old_at_the_first_start_is_so_at_the_second(
    follow: MakeFollowing, log: LogWriter, kept: Kept, clock: Clock, aged: Callable[[bytes], None]
) -> None:
    clock.now -= 2 * HOUR
    aged(kept(1))
    log.rotate()
    clock.now += 2 * HOUR
    aged(kept(2))
    guard = Guard("0.log")
    (old,) = log.rotated()
    following = follow(log.directory, start_policy=policy(clock), open_log=guard)
    assert await following.read() == []
    saved = following.saved
    clock.now += 3 * HOUR
    old.rename(old.with_name("0.log.20200101-000000"))
    heir = following.restart(saved, start_policy=known(saved, clock))
    assert await heir.read() == [kept(2)]


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_log_that_could_not_be_read_for_long_is_read_from_where_it_could_not_be(
    follow: MakeFollowing, log: LogWriter, kept: Kept, clock: Clock, aged: Callable[[bytes], None], restarts: bool
) -> None:
    aged(kept(1))
    guard = Guard("0.log")
    following = follow(log.directory, start_policy=policy(clock), open_log=guard)
    assert await following.read() == []
    clock.now += 3 * HOUR
    if restarts:
        saved = following.saved
        following = following.restart(saved, start_policy=known(saved, clock), open_log=guard)
        assert await following.read() == []
    guard.forbidden.clear()
    assert await following.read() == [kept(1)]


async def test_a_pod_that_comes_later_is_read_whole_with_no_look_back(
    follow: MakeFollowing, log: LogWriter, kept: Kept, clock: Clock, aged: Callable[[bytes], None]
) -> None:
    start_policy = StartPolicy(0.0, clock)
    clock.now += SECOND
    aged(kept(1))
    clock.now += SECOND
    assert await follow(log.directory, start_policy=start_policy).read() == [kept(1)]


async def test_a_clock_that_was_ahead_at_the_start_costs_no_line(
    follow: MakeFollowing, log: LogWriter, kept: Kept, clock: Clock, aged: Callable[[bytes], None]
) -> None:
    clock.now += 24 * HOUR
    start_policy = policy(clock)
    clock.now -= 24 * HOUR
    aged(kept(1))
    assert await follow(log.directory, start_policy=start_policy).read() == [kept(1)]


async def test_a_file_whose_compressed_copy_may_not_be_read_is_no_loss(
    follow: MakeFollowing, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1, 2000))
    log.write(kept(2))
    following = follow(log.directory)
    assert await following.read() == [kept(1, 2000), kept(2)]
    saved = following.saved
    compressed = log.compress(log.rotate())
    guard: OpenLog = Guard(compressed.name)
    heir = following.restart(saved, open_log=guard)
    assert await heir.read() == []
    losses = heir.files.take_losses()
    assert losses
    assert (losses.files, losses.read_errors) == (0, {"EACCES": 1})
    log.write(kept(3))
    heir.files.wrote("0.log")
    assert await heir.read_noted() == [kept(3)]
    assert heir.files.take_losses() is None
    again = heir.restart(heir.saved, open_log=guard)
    assert await again.read() == [kept(3)]
    assert isinstance(guard, Guard)
    guard.forbidden.clear()
    assert await again.read() == [kept(1, 2000), kept(2)]
    compressed.unlink()


async def test_a_target_that_was_known_is_read_since_then_and_a_new_one_as_far_as_the_look_back_goes(
    tmp_path: Path, reading: MakeReading, kept: Kept
) -> None:
    first = LogWriter(tmp_path, pod="known-0", uid="u1")
    second = LogWriter(tmp_path, pod="new-0", uid="u2")
    for log in (first, second):
        log.write(kept(1), nanos=SECOND)
        os.utime(log.path, (1, 1))
        log.close()
    key = f"{first.pod_directory.name}/istio-proxy"
    once = reading(saved={key: SavedTarget(since=1)}, start_policy=StartPolicy(3600.0))
    await once.reader.run(once=True)
    assert once.lines == [kept(1)]
    since = {name: target.since for name, target in once.saved.items()}
    assert since.pop(key) == 1
    assert all(nanos > START // 2 for nanos in since.values())
