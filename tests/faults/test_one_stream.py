"""One stream, or several, fail in any way while Loki takes all others: they wait alone."""

from collections.abc import Callable, Iterator

import pytest

from lab import faults
from lab.containerd import LogWriter
from lab.faults import Fault
from lab.lines import timed_out
from tests.faults.whole_agent import World

WAYS = {
    "500": faults.status(500, "at least 2 live replicas required, could only find 1"),
    "403": faults.status(403, "<html>Request blocked</html>"),
    "hangs": faults.hang(),
    "reset": faults.reset_before(),
    "stalls": faults.stall(),
}


class Pods:
    def __init__(self, world: World, names: list[str]) -> None:
        self.world = world
        self.logs = {name: LogWriter(world.root, pod=name) for name in names}
        self.written: dict[str, set[bytes]] = {name: set() for name in names}

    def write(self, number: int) -> None:
        for name, log in self.logs.items():
            line = timed_out(number, id=f"{name}/{number}")
            log.write(line)
            self.written[name].add(line)

    def arrived(self, *names: str) -> Callable[[], bool]:
        return lambda: all(self.written[name] <= self.world.stored for name in names)


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.mark.parametrize("bad", [1, 5])
@pytest.mark.parametrize("fault", WAYS.values(), ids=WAYS)
def test_others_go_on_while_streams_fail_alone(world: World, fault: Fault, bad: int) -> None:
    sick, sound = [f"bad{number}-1" for number in range(bad)], [f"good{number}-1" for number in range(12)]
    pods = Pods(world, sick + sound)
    world.loki.fault = faults.for_stream('app="bad', fault)
    world.start()
    value = world.metrics.registry.get_sample_value
    for number in range(200):
        pods.write(number)
        assert world.until(pods.arrived(*sound), within=5)
        if number > 10 and value("shipper_streams_failing") == bad:
            break
    assert value("shipper_streams_failing") == bad
    assert not pods.arrived(*sick)()
    world.loki.fault = None
    assert world.until(pods.arrived(*sick))
    assert world.until(lambda: world.ledger()["pending"] == 0)
    assert value("shipper_streams_failing") == 0
    assert world.ledger()["dropped"] == 0


def test_a_gateway_that_cuts_off_large_requests_gets_smaller_ones(world: World) -> None:
    world.loki.fault = faults.cut_off_above(2000)
    with LogWriter(world.root) as log:
        written = {timed_out(number, padding="x" * 1000) for number in range(100)}
        for line in written:
            log.write(line)
        world.start()
        assert world.until(lambda: world.stored == written)
    sizes = [len(push.body) for push in world.loki.pushes]
    assert sum(sizes) < 8 * sum(size for size in sizes if size <= 2000)


def test_a_slow_loki_is_waited_for(world: World) -> None:
    """It stores at once, and its answer takes three times the timeout."""
    world.loki.fault = faults.slow_after(0.45)
    pods = Pods(world, ["app-1", "app-2", "app-3"])
    world.start()
    for number in range(10):
        pods.write(number)
        world.breathe(0.05)
    assert world.until(lambda: world.ledger()["sent"] == 30, within=10)
    copies = [copies for entries in world.loki.streams.values() for copies in entries.values()]
    assert sum(copies) <= 2 * len(copies)
