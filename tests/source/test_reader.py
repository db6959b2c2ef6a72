"""The one loop over all files, with real files and real inotify."""

import asyncio
import gzip
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.containerd import LogWriter, cri_line
from shipper.source.budget import SHARES_OF_FREE
from shipper.source.discovery.inotify import Change, Watcher
from shipper.source.positions.file import SavedTarget
from shipper.source.tail import handles
from shipper.source.tail.saved import SavedFile
from shipper.source.timing import Timing
from tests.source.reading import IMPATIENT, NO_RESCAN, Kept, MakeReading, Reading, without_inotify

MIB = 1 << 20


class Overflowing(Watcher):
    """Says that too much has happened, once it is told to."""

    has_overflown = False

    def changes(self) -> Iterator[Change | None]:
        return iter([None]) if self.has_overflown else super().changes()


def pending(reading: Reading, key: str) -> int:
    return reading.reader.followers[key].pending_memory


def key_of(log: LogWriter) -> str:
    return f"{log.pod_directory.name}/istio-proxy"


# -- what comes and goes


async def test_growth_is_read_when_it_is_written(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    async with reading(timing=NO_RESCAN).running() as running:
        for number in range(5):
            log.write(kept(number))
            await running.until_read(kept(number))
        assert running.lines == [kept(number) for number in range(5)]


async def test_a_new_pod_is_noticed(reading: MakeReading, log: LogWriter, kept: Kept, tmp_path: Path) -> None:
    log.write(kept(0))
    async with reading(timing=NO_RESCAN).running() as running:
        await running.until_read(kept(0))
        with LogWriter(tmp_path, pod="new-0") as new:
            new.write(kept(1))
            await running.until_read(kept(1))


async def test_a_container_that_comes_after_its_pod_is_noticed(
    reading: MakeReading, log: LogWriter, kept: Kept, tmp_path: Path
) -> None:
    log.write(kept(0))
    async with reading(timing=NO_RESCAN).running() as running:
        await running.until_read(kept(0))
        pod = tmp_path / "shop_slow-0_u"
        (pod / "istio-init").mkdir(parents=True)
        log.write(kept(1))
        await running.until_read(kept(1))  # the pod was seen by now
        (pod / "istio-proxy").mkdir()
        (pod / "istio-proxy" / "0.log").write_bytes(cri_line(1, kept(2)))
        await running.until_read(kept(2))


async def test_rotations_under_way_lose_nothing_and_send_nothing_twice(
    reading: MakeReading, log: LogWriter, kept: Kept
) -> None:
    async with reading(timing=IMPATIENT).running() as running:
        for number in range(0, 30, 3):
            log.write(kept(number))
            log.rotate()
            log.write(kept(number + 1))
            log.write(kept(number + 2, 1 << 15))
            await running.until_read(kept(number + 2, 1 << 15))
    assert len(running.lines) == 30


async def test_pods_that_live_for_a_moment_are_read(
    reading: MakeReading, log: LogWriter, kept: Kept, tmp_path: Path
) -> None:
    log.write(kept(0))
    async with reading(timing=IMPATIENT).running() as running:
        await running.until_read(kept(0))
        for number in range(1, 10):
            with LogWriter(tmp_path, pod=f"job-{number}") as job:
                job.write(kept(number))
                await running.until_read(kept(number))
                job.write(kept(-number))
                job.delete()
        await running.until(lambda: list(running.reader.followers) == [key_of(log)])
    assert sorted(running.lines) == sorted(kept(number) for number in range(-9, 10))
    assert handles.open_count() == 0


async def test_a_deleted_pod_stays_until_all_is_settled(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    async with reading(settles=False, timing=IMPATIENT).running() as running:
        await running.until_read(kept(1))
        log.delete()
        reader = running.reader
        await running.until(lambda: not reader.followers[key_of(log)].files.tailers)
        assert key_of(log) in running.saved
        running.settle()
        await running.until(lambda: not reader.followers)
        assert running.saved == {}
        assert len(running.admission) == 0


async def test_a_pod_that_is_dropped_is_dropped_once(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    """However many had marked it to be looked at again."""
    log.write(kept(1))
    async with reading(timing=IMPATIENT).running() as running:
        await running.until_read(kept(1))
        reader = running.reader
        follower = reader.followers[key_of(log)]
        reader.waiting.add(follower)
        reader.list_later(follower)
        log.delete()
        await running.until(lambda: not reader.followers)
        assert follower not in reader.waiting
        later = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.06, later.set_result, None)
        await later
        assert follower not in reader.ready


async def test_a_plain_directory_is_followed_by_names(reading: MakeReading, tmp_path: Path, kept: Kept) -> None:
    (tmp_path / "a.log").write_bytes(kept(1) + b"\n")
    async with reading(timing=NO_RESCAN).running() as running:
        await running.until_read(kept(1))
        (tmp_path / "b.log").write_bytes(kept(2) + b"\n")
        await running.until_read(kept(2))
        with (tmp_path / "a.log").open("ab") as file:
            file.write(kept(3) + b"\n")
        await running.until_read(kept(3))
        assert set(running.reader.followers) == {"a", "b"}


async def test_a_root_that_comes_later_is_found(
    reading: MakeReading, tmp_path: Path, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "later"
    async with reading(root, timing=Timing(rescan=0.01)).running() as running:
        await running.soon(lambda: caplog.records)
        assert not running.reader.is_ready
        with LogWriter(root) as log:
            log.write(kept(1))
            await running.until_read(kept(1))
        assert running.reader.is_ready
    assert caplog.text.count("cannot list") == 1


async def test_a_root_taken_away_and_put_back_is_read_on(reading: MakeReading, tmp_path: Path, kept: Kept) -> None:
    root = tmp_path / "root"
    async with reading(root, timing=replace(IMPATIENT, rescan=0.01)).running() as running:
        for number in range(2):
            with LogWriter(root, pod=f"pod-{number}") as log:
                log.write(kept(number))
                await running.until_read(kept(number))
            shutil.rmtree(root)
            await running.until(lambda: not running.reader.followers)


async def test_an_idle_node_is_ready(reading: MakeReading, tmp_path: Path) -> None:
    async with reading().running() as running:
        await running.soon(lambda: running.reader.is_ready)


# -- without inotify


async def test_without_inotify_everything_is_found_by_looking(
    reading: MakeReading, log: LogWriter, kept: Kept, tmp_path: Path
) -> None:
    log.write(kept(0))
    async with reading(timing=IMPATIENT, watcher=without_inotify).running() as running:
        await running.until_read(kept(0))
        log.write(kept(1))
        await running.until_read(kept(1))
        log.write(kept(2))
        log.rotate()
        log.write(kept(3))
        await running.until_read(kept(2), kept(3))
        with LogWriter(tmp_path, pod="new-0") as new:
            new.write(kept(4))
            await running.until_read(kept(4))
            new.write(kept(5))
            new.delete()
        await running.until(lambda: list(running.reader.followers) == [key_of(log)])
    assert sorted(running.lines) == sorted(kept(number) for number in range(6))


async def test_when_too_much_has_happened_everything_is_looked_at(
    reading: MakeReading, log: LogWriter, kept: Kept, tmp_path: Path
) -> None:
    log.write(kept(0))
    async with reading(timing=NO_RESCAN, watcher=Overflowing).running() as running:
        await running.until_read(kept(0))
        changes = running.target_set.changes
        assert isinstance(changes, Overflowing)
        changes.has_overflown = True
        with LogWriter(tmp_path, pod="new-0") as new:
            new.write(kept(1))
            log.write(kept(2))
            await running.until_read(kept(1), kept(2))


# -- the budget


async def test_a_target_that_is_never_answered_pauses_alone(reading: MakeReading, tmp_path: Path, kept: Kept) -> None:
    with LogWriter(tmp_path, pod="loud-0") as loud, LogWriter(tmp_path, pod="quiet-0") as quiet:
        loud.write_raw(b"".join(cri_line(number, kept(number, 4000)) for number in range(4000)))
        quiet.write(kept(-1))
        async with reading(settles=False, max_in_flight_bytes=16 * MIB).running() as running:
            reader = running.reader
            await running.until_read(kept(-1))
            await running.until(lambda: reader.paused)
            assert reader.paused == {reader.followers[key_of(loud)]}
            eighth = 16 * MIB // (SHARES_OF_FREE + 1)
            assert eighth - (1 << 17) <= pending(running, key_of(loud)) <= eighth + (1 << 17)
            for number in range(3000):
                quiet.write(kept(-2 - number))
                if number % 1000 == 0:
                    await running.until_read(kept(-2 - number))
                    running.settle([part for part in running.unsettled if part.unpacked().lines[0].find(b":-") > 0])
            assert reader.followers[key_of(loud)].pending_memory < 3 * MIB
            running.settles = True
            running.settle()
            await running.until_read(*(kept(number, 4000) for number in range(4000)))
            assert reader.budget.pending == 0
            assert not reader.paused


async def test_all_targets_together_stay_within_the_budget(reading: MakeReading, tmp_path: Path, kept: Kept) -> None:
    logs = [LogWriter(tmp_path, pod=f"loud-{number}") for number in range(30)]
    for log in logs:
        log.write_raw(b"".join(cri_line(number, kept(number, 4000)) for number in range(200)))
        log.close()
    running = reading(settles=False, max_in_flight_bytes=2 * MIB)
    async with running.running():
        reader = running.reader
        await running.until(lambda: len(reader.paused) == 30)
        assert reader.budget.pending <= 2 * MIB + (1 << 17)
        running.settles = True
        running.settle()
        await running.until(lambda: len(running.lines) == 30 * 200)
        assert reader.budget.pending == 0


async def test_a_line_larger_than_a_share_is_read_all_the_same(
    reading: MakeReading, log: LogWriter, kept: Kept
) -> None:
    log.write(kept(1, 900_000))
    log.write(kept(2))
    async with reading(max_in_flight_bytes=MIB).running() as running:
        await running.until_read(kept(1, 900_000), kept(2))


# -- descriptors


async def test_idle_files_are_closed_above_the_limit_and_go_on(
    reading: MakeReading, tmp_path: Path, kept: Kept
) -> None:
    logs = [LogWriter(tmp_path, pod=f"pod-{number}") for number in range(8)]
    async with reading(open_files=4, timing=NO_RESCAN).running() as running:
        for turn in range(2):
            for number, log in enumerate(logs):
                log.write(kept(100 * turn + number))
                await running.until_read(kept(100 * turn + number))
                assert handles.open_count() <= 5
    assert len(running.lines) == 16
    for log in logs:
        log.close()


async def test_without_room_for_a_descriptor_a_target_waits(reading: MakeReading, tmp_path: Path, kept: Kept) -> None:
    logs = [LogWriter(tmp_path, pod=f"pod-{number}") for number in range(4)]
    for number, log in enumerate(logs):
        log.write_raw(cri_line(number, kept(number)) + b"unfinished")  # not idle, so not closed
    soft = 4  # half is for everything else
    slow = reading(open_files=1, process_limit=lambda: soft, timing=Timing(tick=0.01))
    async with slow.running() as running:
        await running.until_read(kept(0), kept(1))
        reader = running.reader
        await running.soon(lambda: len(reader.waiting) == 2 and not reader.ready)  # nobody turns in a circle
        for log in logs[:2]:
            log.write_raw(b"\n")
        await running.until_read(kept(2), kept(3))
    for log in logs:
        log.close()


# -- restart, --once


async def test_a_restart_goes_on_where_loki_has_answered(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    first = reading(settles=False)
    log.write(kept(1))
    async with first.running():
        await first.until_read(kept(1))
        first.settle()
        log.write(kept(2))
        await first.until_read(kept(2))
        saved = first.saved
    second = reading(saved=saved)
    async with second.running():
        await second.until_read(kept(2))
        log.write(kept(3))
        await second.until_read(kept(3))
    assert second.lines == [kept(2), kept(3)]


async def test_what_is_known_of_a_target_stays_and_what_is_gone_is_forgotten(
    reading: MakeReading, log: LogWriter, kept: Kept
) -> None:
    key = key_of(log)
    again = reading(saved={
        key: SavedTarget({"app": "from the API"}, [{"termination_details": "a"}]),
        "gone_0_0/istio-proxy": SavedTarget({}, [{"termination_details": "b"}]),
    })  # fmt: skip
    assert len(again.admission) == 2
    log.write(kept(1))
    async with again.running():
        await again.until_read(kept(1))
        assert again.reader.followers[key].target.fields["app"] == "from the API"
        assert set(again.saved) == {key}
    assert {"termination_details": "a"} in again.saved[key].streams
    assert len(again.admission) == 2  # the saved one, and that without details


@pytest.mark.parametrize(("is_there", "lost"), [(True, 0), (False, 1)])
async def test_what_is_not_configured_any_more_is_not_gone(
    reading: MakeReading, tmp_path: Path, log: LogWriter, kept: Kept, is_there: bool, lost: int
) -> None:
    name = "shop_web-0_4e3f/app"  # a container that is not read
    if is_there:
        (tmp_path / name).mkdir(parents=True)
    log.write(kept(1))
    again = reading(saved={name: SavedTarget(files=[SavedFile("0.log", 1, 2, 1, "", 7, 7)])})
    async with again.running():
        await again.until_read(kept(1))
    assert again.value("shipper_files_lost_total") == lost
    assert name not in again.saved


async def test_a_new_stream_is_state_to_be_saved(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    running = reading()
    async with running.running():
        log.write(kept(1))
        await running.until_read(kept(1))
        known = running.snapshot.label_generation
        assert known
        log.write(kept(2))
        await running.until_read(kept(2))
        assert running.snapshot.label_generation == known
        log.write(b'{"response_flags":"UT","connection_termination_details":"new"}')
        await running.until(lambda: len(running.lines) == 3)
        assert running.snapshot.label_generation > known


async def test_once_reads_all_there_is_and_ends(
    reading: MakeReading, log: LogWriter, kept: Kept, tmp_path: Path
) -> None:
    log.write(kept(1))
    log.rotate()
    log.write_raw(cri_line(1, kept(2))[:-1])  # never finished, for a newer one follows
    log.rotate()
    log.write(kept(3))
    log.restart()
    log.write(kept(4), tag="P")
    log.restart()
    log.write(kept(5))
    with LogWriter(tmp_path, pod="other-0") as other:
        other.write(kept(6))
    once = reading()
    async with asyncio.timeout(20):
        await once.reader.run(once=True)
    assert once.told[-1] is False, "nothing more comes"
    assert sorted(once.lines) == [kept(number) for number in range(1, 7)]
    assert handles.open_count() == 0


async def test_who_waits_for_lines_is_told_whether_there_are_more_to_read_at_once(
    reading: MakeReading, log: LogWriter, kept: Kept, tmp_path: Path
) -> None:
    running = reading(settles=False, max_in_flight_bytes=MIB, timing=Timing(turn=0.0))  # one block a turn
    told = running.told
    lines = [kept(number, 4000) for number in range(100)]
    for pod in range(12):  # so many that nobody may read any more
        with LogWriter(tmp_path, pod=f"loud-{pod}") as loud:
            loud.write_raw(b"".join(cri_line(number, line) for number, line in enumerate(lines)))
    async with running.running():
        await running.soon(lambda: "full" in told)
        assert True in told
        assert told[told.index(True) :].count(False) == 0, "files that must wait for answers are no end of it"
        running.settles = True
        running.settle()
        await running.until(lambda: len(running.lines) == 12 * 100)
        await running.soon(lambda: told[-1] is False)
        told.clear()
        log.write(kept(200))
        await running.until_read(kept(200))
        await running.soon(lambda: told)
        assert set(told) == {False}, "one look is no backlog"


async def test_one_that_is_never_answered_keeps_no_others_waiting_for_company(
    reading: MakeReading, tmp_path: Path, kept: Kept
) -> None:
    running = reading(settles=False, max_in_flight_bytes=16 * MIB)
    with LogWriter(tmp_path, pod="loud-0") as loud, LogWriter(tmp_path, pod="quiet-0") as quiet:
        loud.write_raw(b"".join(cri_line(number, kept(number, 4000)) for number in range(1500)))
        async with running.running():
            await running.until(lambda: running.reader.paused)
            for number in range(3):
                quiet.write(kept(-number, 100))
                await running.until_read(kept(-number, 100))
                await running.soon(lambda: running.told and running.told[-1] is False)
    assert "full" not in running.told, "there is memory for others"


async def test_a_directory_that_went_and_came_back_is_watched_again(
    reading: MakeReading, tmp_path: Path, kept: Kept
) -> None:
    running = reading(settles=False, timing=NO_RESCAN)  # so that the target stays
    with LogWriter(tmp_path, pod="pod-0") as log:
        log.write(kept(1))
    async with running.running():
        await running.until_read(kept(1))
        (directory,) = tmp_path.glob("*_pod-0_*")
        shutil.rmtree(directory)
        (directory / "istio-proxy").mkdir(parents=True)
        path = directory / "istio-proxy" / "0.log"
        for number in (2, 3, 4):  # the first may be found with its directory, the others only by its watch
            with path.open("ab") as file:
                file.write(cri_line(number, kept(number)))
            await running.until_read(kept(number))


async def test_once_waits_for_answers_when_the_budget_is_used_up(
    reading: MakeReading, tmp_path: Path, kept: Kept
) -> None:
    with LogWriter(tmp_path) as log:
        log.write_raw(b"".join(cri_line(number, kept(number, 4000)) for number in range(1000)))
    once = reading(settles=False, max_in_flight_bytes=MIB)
    task = asyncio.create_task(once.reader.run(once=True))
    async with asyncio.timeout(20):
        while not task.done():
            await once.until(lambda: once.reader.paused or task.done() or len(once.lines) == 1000)
            once.settle()
            await asyncio.sleep(0)
    assert len(once.lines) == 1000


async def test_once_reads_even_what_had_to_wait_for_a_descriptor(
    reading: MakeReading, tmp_path: Path, kept: Kept
) -> None:
    for pod in range(4):
        with LogWriter(tmp_path, pod=f"pod-{pod}") as log:
            log.write_raw(b"".join(cri_line(number, kept(1000 * pod + number, 4000)) for number in range(200)))
    once = reading(
        settles=False, open_files=1, max_in_flight_bytes=MIB, process_limit=lambda: 4, timing=Timing(tick=0.05)
    )
    task = asyncio.create_task(once.reader.run(once=True))
    await once.until(lambda: len(once.reader.paused) == 2 and not once.reader.ready)  # and two have read nothing
    once.settles = True
    once.settle()
    async with asyncio.timeout(20):
        await task
    assert len(once.lines) == 4 * 200


async def test_once_needs_its_directory(reading: MakeReading, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await reading(tmp_path / "gone").reader.run(once=True)


async def test_the_books_close(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    for number in range(10):
        log.write(kept(number))
        log.write(b"[not json]")
    once = reading(settles=False)
    await once.reader.run(once=True)
    (follower,) = once.reader.followers.values()
    value = once.metrics.registry.get_sample_value
    assert value("shipper_lines_read_total") == follower.ledger.read == 20
    assert value("shipper_lines_filtered_total", {"reason": "not_json"}) == 10
    assert value("shipper_bytes_read_total") == log.path.stat().st_size
    assert follower.ledger.pending == 10
    once.settle()
    assert (follower.ledger.pending, follower.ledger.sent) == (0, 10)


async def test_losses_are_counted(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    (log.directory / "0.log.20200101-000000.gz").write_bytes(gzip.compress(b"x" * 99)[:9])
    running = reading(timing=IMPATIENT)
    value = running.metrics.registry.get_sample_value
    log.write(kept(1))
    async with running.running():
        await running.until(lambda: value("shipper_read_errors_total", {"error": "EIO"}) == 1)
        await running.until_read(kept(1))
        log.truncate()
        log.write(kept(2))
        await running.until_read(kept(2))
    assert value("shipper_files_truncated_total") == 1


async def test_a_new_target_is_state_to_be_saved(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    """What it is known by would be forgotten else."""
    once = reading()
    await once.reader.run(once=True)
    assert key_of(log) in once.reader.followers
    assert once.snapshot.label_generation


@pytest.mark.parametrize("kind", ["plain", "link", "dangling"])
async def test_logs_to_which_nothing_happens_are_not_looked_at(
    reading: MakeReading, tmp_path: Path, kept: Kept, kind: str
) -> None:
    """However many ticks pass; a link was listed at each of them."""
    root, turns = tmp_path / "root", 0
    root.mkdir()
    for number in range(20):
        if kind == "plain":
            (root / f"{number}.log").write_bytes(kept(number) + b"\n")
        else:
            if kind == "link":
                (tmp_path / f"{number}").write_bytes(kept(number) + b"\n")
            (root / f"{number}.log").symlink_to(tmp_path / f"{number}")

    def count() -> None:
        nonlocal turns
        turns += 1

    timing = replace(NO_RESCAN, tick=0.005)
    async with reading(root, timing=timing, on_turn=count).running() as running:
        await running.soon(lambda: running.target_set.is_scanned)
        if kind != "dangling":
            await running.until_read(*(kept(number) for number in range(20)))
        await running.until(lambda: not running.reader.ready)
        passed, ticks = asyncio.Event(), 20
        asyncio.get_running_loop().call_later(ticks * timing.tick, passed.set)
        before = turns
        await passed.wait()
        assert turns - before <= 20  # of what had begun before
        assert not running.reader.waiting
