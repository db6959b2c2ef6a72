import orjson
from prometheus_client.exposition import generate_latest

from lab.containerd import LogWriter
from shipper.source import status
from shipper.source.status import StatusCollector


def sample(reading, name, **labels):
    return reading.metrics.registry.get_sample_value(name, labels)


LABELS = {"namespace": "shop", "pod": "payment-service-7d4b9c6f5d-x2x7k", "container": "istio-proxy"}


async def test_what_is_read_is_told_file_by_file(reading, log, kept):
    log.write(kept(1))
    log.rotate()
    log.write(kept(2))
    log.write(kept(-1).replace(b"UT", b"-"))
    once = reading(settles=False)
    await once.reader.run(once=True)
    once.settle(once.unsettled[:1])
    (told,) = status.targets(once.reader)
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


async def test_the_lag_ends_with_the_last_answer(reading, log, kept):
    reading = reading(settles=False)
    reading.metrics.registry.register(StatusCollector(reading.reader))
    async with reading.running():
        log.write(kept(1))
        await reading.until_read(kept(1))
        (follower,) = reading.reader.followers.values()
        assert sample(reading, "shipper_lag_bytes", **LABELS) == log.path.stat().st_size
        assert follower.behind_since is not None
        reading.settle()
        await reading.until(lambda: follower.behind_since is None)
        assert sample(reading, "shipper_lag_bytes", **LABELS) == 0
        assert sample(reading, "shipper_lag_seconds", **LABELS) == 0


async def test_a_paused_target_is_shown(reading, tmp_path, kept):
    with LogWriter(tmp_path) as log:
        for number in range(300):
            log.write(kept(number, 8000))
    reading = reading(settles=False, max_in_flight_bytes=1 << 20)
    reading.metrics.registry.register(StatusCollector(reading.reader))
    async with reading.running():
        await reading.until(lambda: reading.reader.paused)
        assert sample(reading, "shipper_targets_paused") == 1
        assert sample(reading, "shipper_pending_bytes") == sum(part.memory for part in reading.unsettled)
        assert [told["paused"] for told in status.targets(reading.reader)] == [True]
        assert sample(reading, "shipper_lag_bytes", **LABELS) > 0
        assert sample(reading, "shipper_files_open") == 1


async def test_series_end_with_their_target_and_name_no_path(reading, log, kept, impatient):
    reading = reading()
    reading.metrics.registry.register(StatusCollector(reading.reader))
    async with reading.running():
        log.write(kept(1))
        await reading.until_read(kept(1))
        assert sample(reading, "shipper_targets") == 1
        assert sample(reading, "shipper_streams_admitted") == 1
        assert str(log.directory) not in generate_latest(reading.metrics.registry).decode()
        log.delete()
        await reading.until(lambda: not reading.reader.followers)
        assert sample(reading, "shipper_targets") == 0
        assert sample(reading, "shipper_streams_admitted") == 0
        assert sample(reading, "shipper_lag_bytes", **LABELS) is None
