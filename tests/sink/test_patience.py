"""How long answers are waited for."""

import logging

import pytest

from shipper.log import Seldom
from shipper.sink.patience import LONGEST, Patience
from shipper.sink.stream import Stream

SLOW, OTHER = Stream('{app="slow"}'), Stream('{app="other"}')


@pytest.fixture
def patience() -> Patience:
    SLOW.answer_took = OTHER.answer_took = 0.0
    return Patience(10.0, Seldom())


def test_a_slow_answer_lets_all_wait_longer_and_is_said(patience: Patience, caplog: pytest.LogCaptureFixture) -> None:
    assert patience.of(OTHER) == 10
    patience.answered(SLOW, 12.0)
    assert patience.of(SLOW) == patience.of(OTHER) == 24
    assert patience.is_long
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "took 12.0 s to answer" in caplog.text


def test_the_wait_is_bounded(patience: Patience) -> None:
    patience.answered(SLOW, 55.0)
    assert patience.of(SLOW) == LONGEST
    assert Patience(90.0, Seldom()).of(SLOW) == 90


def test_quick_answers_of_others_end_it_for_all_but_the_slow_stream(patience: Patience) -> None:
    patience.answered(SLOW, 12.0)
    patience.answered(OTHER, 0.1)
    assert not patience.is_long
    assert (patience.of(SLOW), patience.of(OTHER)) == (24, 10)
    patience.answered(SLOW, 0.1)
    assert patience.of(SLOW) == 10
