"""What stands before Loki answers in odd ways to what Loki has stored: nothing is sent again."""

from functools import partial

import pytest

from lab import faults
from lab.containerd import LogWriter
from lab.lines import timed_out
from tests.faults.whole_agent import World


def has_sent(world: World, entries: int) -> bool:
    return world.ledger()["sent"] == entries


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 204 X\r\nContent-Length: 5\r\n\r\nhello", id="a 204 with a body"),
        pytest.param(b"HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="a chunked 204"),
        pytest.param(b"HTTP/1.1 204 X\r\nSet-Cookie: " + b"x" * 20_000 + b"\r\n\r\n", id="a large cookie"),
        pytest.param(b"HTTP/1.1 204 X\r\n" + b"X-Some: y\r\n" * 500 + b"\r\n", id="many fields"),
        pytest.param(b"HTTP/1.1 200 X\r\n" + b"Content-Length: 0\r\n" * 2 + b"\r\n", id="a length twice"),
    ],
)
def test_what_is_stored_and_oddly_answered_is_sent_once(answer: bytes) -> None:
    world = World()
    world.loki.fault = faults.stored_and_answered(answer)
    try:
        with LogWriter(world.root) as log:
            world.start()
            for number in range(3):
                log.write(timed_out(number))
                assert world.until(partial(has_sent, world, number + 1), 10)
        assert len(world.loki.pushes) == 3
        assert world.ledger()["pending"] == 0
    finally:
        world.close()
