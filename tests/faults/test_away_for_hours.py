"""The agent is away for longer than its look-back, and the logs go on without it."""

import os

from lab.containerd import SECOND, LogWriter
from lab.lines import healthy, timed_out
from tests.faults.whole_agent import World

HOUR = 3600 * SECOND


def test_what_an_agent_missed_is_read_however_long_it_was_away() -> None:
    world = World(look_back="1h")
    try:
        with LogWriter(world.root) as log:
            log.write(healthy(1))
            world.start()
            assert world.until(lambda: world.ledger()["read"] == 1)
            world.stop()
            log.rotate()
            for number in range(10):
                line, nanos = timed_out(number), log.now() - 2 * HOUR
                world.written.note(line, log.write(line, nanos=nanos), {})
            os.utime(log.path, ns=(nanos, nanos))
            log.rotate()
            last = timed_out(10)
            world.written.note(last, log.write(last, nanos=nanos + HOUR), {})
            world.settle()
    finally:
        world.close()
