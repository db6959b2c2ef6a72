"""What is known of Loki as a whole."""

import itertools
import logging
import math

import pytest

from shipper.sink.answers.status import BadRequest, Unavailable
from shipper.sink.destination import Destination, RequestSize

BUSY = Unavailable("http_503", "busy")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def destination(clock: Clock) -> Destination:
    """Waits 1 s after the first failure, 2 s after the second, and so on."""
    return Destination(lambda: map(float, itertools.count(1)), clock)


def test_it_is_known_since_when_it_fails(destination: Destination, clock: Clock) -> None:
    assert destination.failing_for == 0
    destination.failed(destination.begin(), BUSY)
    clock.now += 7
    destination.failed(destination.begin(), BUSY)
    clock.now += 5
    assert destination.failing_for == 12
    destination.works(destination.begin(), stored=True)
    assert destination.failing_for == 0


def test_pushes_that_began_before_it_failed_count_once(destination: Destination, clock: Clock) -> None:
    attempts = [destination.begin() for _ in range(8)]
    for attempt in attempts:
        destination.failed(attempt, BUSY)
    assert destination.opens_at == clock.now + 1


def test_one_probes_and_the_next_waits_longer(destination: Destination, clock: Clock) -> None:
    destination.failed(destination.begin(), BUSY)
    clock.now += 1
    probe = destination.begin()
    assert destination.opens_at == math.inf
    destination.failed(probe, BUSY)
    assert destination.opens_at == clock.now + 2


def test_an_old_request_that_succeeds_is_no_recovery(destination: Destination) -> None:
    old, failing = destination.begin(), destination.begin()
    destination.failed(failing, BUSY)
    destination.works(old, stored=True)
    assert destination.failing == "http_503: busy"
    destination.works(destination.begin(), stored=True)
    assert destination.failing == ""
    assert destination.opens_at == 0


def test_after_a_recovery_back_off_begins_anew(destination: Destination, clock: Clock) -> None:
    for _ in range(5):
        destination.failed(destination.begin(), BUSY)
    destination.works(destination.begin(), stored=True)
    destination.failed(destination.begin(), BUSY)
    assert destination.opens_at <= clock.now + 5
    clock.now += 10
    destination.works(destination.begin(), stored=True)
    destination.failed(destination.begin(), BUSY)
    assert destination.opens_at == clock.now + 1


def test_retry_after_is_obeyed_even_of_an_old_request(destination: Destination, clock: Clock) -> None:
    old, failing = destination.begin(), destination.begin()
    destination.failed(failing, BUSY)
    destination.failed(old, Unavailable("http_503", "", 60.0))
    assert destination.opens_at == clock.now + 60


def test_a_refusal_of_one_stream_is_not_held_against_it(destination: Destination) -> None:
    for _ in range(10):
        destination.got_unknown_400(destination.begin(), "{a}", BadRequest("http_400", "?"))
    assert destination.failing == ""


def test_refusals_of_several_streams_in_a_row_are(destination: Destination) -> None:
    for stream in "abc":
        destination.got_unknown_400(destination.begin(), stream, BadRequest("http_400", "?"))
    assert destination.failing == "http_400: ?"


def test_refusals_with_success_between_are_not(destination: Destination) -> None:
    for stream in "abcdef":
        destination.got_unknown_400(destination.begin(), stream, BadRequest("http_400", "?"))
        assert destination.failing == ""
        destination.works(destination.begin(), stored=True)


def test_an_answer_that_it_ended_ends_a_probe_and_says_nothing(destination: Destination, clock: Clock) -> None:
    destination.failed(destination.begin(), BUSY)
    clock.now += 1
    destination.ended(destination.begin())
    assert destination.failing
    assert destination.opens_at == clock.now


def test_a_destination_that_comes_and_goes_does_not_flood_the_log(
    destination: Destination, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        for _ in range(30):
            destination.failed(destination.begin(), BUSY)
            clock.now += 1
            destination.works(destination.begin(), stored=True)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_smaller_requests_grow_back(clock: Clock) -> None:
    size = RequestSize(1000, clock)
    size.reduce(100)
    assert size.limit == 100
    clock.now += 59
    assert size.limit == 100
    clock.now += 1
    assert size.limit == 200
    size.reduce(500)
    assert size.limit == 200, "a larger one that was too large says nothing new"
    clock.now += 86_400 * 365
    assert size.limit == 1000
