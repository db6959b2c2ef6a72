"""What repeats is logged seldom, with how often it was."""

import math

from shipper.log import HOUR, MINUTE, Seldom


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_is_logged_at_once_and_the_rest_with_their_number_once_a_minute() -> None:
    clock = Clock()
    seldom = Seldom(clock)
    assert seldom.due("a") == 1
    assert seldom.due("a", times=5) == 0
    assert seldom.due("b", times=2) == 2
    clock.now += MINUTE - 1
    assert seldom.due("a") == 0
    clock.now += 1
    assert seldom.due("a", times=4) == 10
    assert seldom.due("a") == 0


def test_each_message_has_a_period_of_its_own() -> None:
    clock = Clock()
    seldom = Seldom(clock)
    assert [seldom.due("a", HOUR), seldom.due("b", math.inf)] == [1, 1]
    clock.now += HOUR
    assert [seldom.due("a", HOUR), seldom.due("b", math.inf)] == [1, 0]


def test_the_end_of_a_trouble_is_worth_a_line_if_its_beginning_was_logged() -> None:
    clock = Clock()
    seldom = Seldom(clock)
    assert not seldom.over()
    seldom.due("a")
    assert seldom.over()
    seldom.due("a")  # too soon: not logged
    assert not seldom.over()


def test_of_too_many_keys_all_are_forgotten() -> None:
    seldom = Seldom(Clock())
    assert all(seldom.due(str(number)) for number in range(Seldom.MOST_KEYS))
    assert not seldom.due("0")
    assert seldom.due("one more")
    assert seldom.due("0")
