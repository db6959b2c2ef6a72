"""Whose fault a failed push is."""

import logging
from collections.abc import Callable
from itertools import count, repeat

import pytest

from shipper.sink.answers.status import CutOff, TenantLimited, TimedOut, Unavailable
from shipper.sink.destination import Destination, RequestSize
from shipper.sink.fault import Fault
from shipper.sink.newest import Newest
from shipper.sink.schedule import Schedule
from shipper.sink.stream import Stream
from tests.sink.clock import Clock

WAYS = [
    Unavailable("http_500", "at least 2 live replicas required"),
    Unavailable("http_403", "forbidden"),
    TimedOut("timeout"),
    CutOff("connection"),
]


class Scene:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.destination = Destination(lambda: repeat(1.0), clock)
        size, newest = RequestSize(1 << 20, clock), Newest()
        self.schedule = Schedule(
            self.destination,
            size,
            lambda: map(float, count(1)),
            newest,
            workers=8,
            batchwait=1.0,
            linger=0.1,
            clock=clock,
        )
        self.fault = Fault(self.destination, self.schedule, clock)
        self.sick, self.sound = Stream('{app="sick"}'), Stream('{app="sound"}')

    def fail(self, stream: Stream, error: Unavailable, *, may_be_alone: bool = True) -> None:
        self.fault.failed(stream, error, self.destination.begin(), may_be_alone=may_be_alone)

    def store(self, stream: Stream) -> None:
        attempt = self.destination.begin()
        self.fault.answered(stream)
        self.destination.works(attempt, stored=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scene(clock: Clock) -> Scene:
    return Scene(clock)


@pytest.mark.parametrize("error", WAYS, ids=lambda error: error.cause)
def test_when_others_are_stored_between_two_failures_it_is_the_streams(
    scene: Scene, clock: Clock, error: Unavailable, caplog: pytest.LogCaptureFixture
) -> None:
    scene.fail(scene.sick, error)
    assert scene.destination.failing, "nothing else is known"
    clock.now += 1
    scene.store(scene.sound)
    assert not scene.destination.failing
    clock.now += 1
    for wait in (1, 2, 3):
        scene.fail(scene.sick, error)
        assert scene.sick.fault == error
        assert not scene.destination.failing
        assert scene.sick.not_before == clock.now + wait
        clock.now += wait
    assert [record.levelno for record in caplog.records if "while others are stored" in record.message] == [
        logging.WARNING
    ]
    scene.store(scene.sick)
    assert scene.sick.fault is None


def test_when_nothing_is_stored_it_is_the_destinations(scene: Scene, clock: Clock) -> None:
    for _ in range(5):
        scene.fail(scene.sick, WAYS[0])
        scene.fail(scene.sound, WAYS[0])
        clock.now += 1
    assert scene.sick.fault is scene.sound.fault is None
    assert scene.destination.failing


def test_what_was_under_way_before_it_failed_proves_nothing(scene: Scene, clock: Clock) -> None:
    early = scene.destination.begin()
    scene.fail(scene.sick, WAYS[0])
    clock.now += 0.1
    scene.destination.works(early, stored=True)
    clock.now += 1
    scene.fail(scene.sick, WAYS[0])
    assert scene.sick.fault is None


def test_the_tenants_rate_lets_small_requests_pass_and_that_proves_nothing(scene: Scene, clock: Clock) -> None:
    for _ in range(3):
        scene.fail(scene.sick, TenantLimited("http_429"), may_be_alone=False)
        clock.now += 1
        scene.store(scene.sound)
        clock.now += 1
    assert scene.sick.fault is None


def test_streams_that_fail_alone_wait_longer_together_while_nothing_is_stored(scene: Scene, clock: Clock) -> None:
    scene.fail(scene.sick, WAYS[0])
    clock.now += 1
    scene.store(scene.sound)
    clock.now += 1
    scene.fail(scene.sick, WAYS[0])
    assert scene.destination.opens_alone_at <= clock.now
    scene.fail(scene.sick, WAYS[0])
    assert scene.destination.opens_alone_at == clock.now + 1
    clock.now += 0.1
    scene.store(scene.sound)
    assert scene.destination.opens_alone_at <= clock.now
