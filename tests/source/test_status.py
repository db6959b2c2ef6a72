from pathlib import Path

import orjson
from prometheus_client.exposition import generate_latest

from lab.containerd import LogWriter
from tests.source.reading import IMPATIENT, Kept, MakeReading

LABELS = {"namespace": "shop", "pod": "payment-service-7d4b9c6f5d-x2x7k", "container": "istio-proxy"}


async def test_what_is_read_is_told_file_by_file(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    log.write(kept(1))
    log.rotate()
    log.write(kept(2))
    log.write(kept(-1).replace(b"UT", b"-"))
    once = reading(settles=False)
    await once.reader.run(once=True)
    once.settle(once.unsettled[:1])
    (told,) = once.status.targets()
    assert orjson.dumps(told)
    size = log.path.stat().st_size
    assert told["target"] == f"{log.pod_directory.name}/istio-proxy"
    assert told["ledger"] == {"read": 3, "filtered": {"no_match": 1}, "sent": 1, "dropped": {}, "pending": 1}
    assert told["lag_bytes"] == size
    assert [(file["read"], file["committed"]) for file in told["files"]] == [
        (log.rotated()[0].stat().st_size, log.rotated()[0].stat().st_size),
        (size, 0),
    ]
    assert told["files"][1] == {
        "name": "0.log", "size": size, "read": size, "committed": 0, "open": False, "deleted": False,
    }  # fmt: skip


async def test_the_lag_ends_with_the_last_answer(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    running = reading(settles=False)
    running.metrics.registry.register(running.status)
    async with running.running():
        log.write(kept(1))
        await running.until_read(kept(1))
        (follower,) = running.reader.followers.values()
        assert running.value("shipper_lag_bytes", **LABELS) == log.path.stat().st_size
        assert follower.behind_since is not None
        running.settle()
        await running.until(lambda: follower.behind_since is None)
        assert running.value("shipper_lag_bytes", **LABELS) == 0
        assert running.value("shipper_lag_seconds", **LABELS) == 0


async def test_a_paused_target_is_shown(reading: MakeReading, tmp_path: Path, kept: Kept) -> None:
    with LogWriter(tmp_path) as log:
        for number in range(300):
            log.write(kept(number, 8000))
    running = reading(settles=False, max_in_flight_bytes=1 << 20)
    running.metrics.registry.register(running.status)
    async with running.running():
        await running.until(lambda: running.reader.paused)
        assert running.value("shipper_targets_paused") == 1
        assert running.value("shipper_pending_bytes") == sum(part.memory for part in running.unsettled)
        assert [told["paused"] for told in running.status.targets()] == [True]
        assert running.value("shipper_lag_bytes", **LABELS)
        assert running.value("shipper_files_open") == 1


async def test_series_end_with_their_target_and_name_no_path(reading: MakeReading, log: LogWriter, kept: Kept) -> None:
    running = reading(timing=IMPATIENT)
    running.metrics.registry.register(running.status)
    async with running.running():
        log.write(kept(1))
        await running.until_read(kept(1))
        assert running.value("shipper_targets") == 1
        assert running.value("shipper_streams_admitted") == 1
        assert str(log.directory) not in generate_latest(running.metrics.registry).decode()
        log.delete()
        await running.until(lambda: not running.reader.followers)
        assert running.value("shipper_targets") == 0
        assert running.value("shipper_streams_admitted") == 0
        assert running.value("shipper_lag_bytes", **LABELS) is None
