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
