"""Loki has small limits for a tenant or a stream: everything arrives, in smaller requests."""

import pytest

from lab.containerd import LogWriter
from lab.limits import Limits
from lab.lines import timed_out
from tests.faults.whole_agent import World

LINES = 40
SIZE = 1000  # bytes of a line


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Limits(stream_rate=1_000_000, stream_burst=30_000), id="the stream's burst"),
        pytest.param(Limits(rate=1_000_000, burst=30_000), id="the tenant's burst"),
    ],
)
def test_a_batch_above_a_limit_is_divided_until_it_passes(limits: Limits) -> None:
    world = World(limits)
    try:
        with LogWriter(world.root) as log:
            written = [timed_out(number, padding="x" * SIZE) for number in range(LINES)]
            for line in written:
                log.write(line)
            world.start()
            assert world.until(lambda: world.stored == set(written))
            assert world.until(lambda: world.ledger()["pending"] == 0)
            assert world.ledger()["dropped"] == 0
            assert len(world.loki.pushes) < 12  # two that are refused, their parts, and perhaps one that came too soon
    finally:
        world.close()


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Limits(stream_rate=40_000, stream_burst=60_000), id="the stream's rate"),
        pytest.param(Limits(rate=40_000, burst=60_000), id="the tenant's rate"),
    ],
)
def test_a_rate_far_below_the_load_costs_few_bytes(limits: Limits) -> None:
    world = World(limits)
    try:
        with LogWriter(world.root) as log:
            written = [timed_out(number, padding="x" * SIZE) for number in range(150)]
            for line in written:
                log.write(line)
            world.start()
            assert world.until(lambda: world.stored == set(written))
        sent = sum(len(stream.entries) for push in world.loki.pushes for stream in push.streams)
        assert sent < 3 * len(written)
    finally:
        world.close()


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param(Limits(max_metadata_pairs=2), id="pairs of metadata"),
        pytest.param(Limits(max_metadata_size=20), id="bytes of metadata"),
        pytest.param(Limits(max_label_names=4), id="labels"),
        pytest.param(Limits(max_label_value_length=20), id="bytes of a label"),
    ],
)
def test_what_is_refused_for_what_was_added_goes_without_it(limits: Limits) -> None:
    world = World(limits, scrape=", structured_metadata: [request_id, uid, container]")
    try:
        with LogWriter(world.root) as log:
            written = {timed_out(number, id=f"a-long-request-id-{number}") for number in range(LINES)}
            for line in written:
                log.write(line)
            world.start()
            assert world.until(lambda: world.stored == written), world.loki.refused
            assert world.until(lambda: world.ledger()["pending"] == 0)
            assert world.ledger()["dropped"] == 0
            reduced = world.metrics.registry.get_sample_value
            reasons = set(world.loki.refused)
            assert sum(reduced("shipper_entries_reduced_total", {"reason": reason}) or 0 for reason in reasons) == LINES
    finally:
        world.close()
