"""Turns of streams."""

from math import inf

from shipper.entries import Entries
from shipper.model import Kept
from shipper.sink.schedule import Schedule
from shipper.sink.stream import Stream
from tests.tickets import ticket


def stream(came: float) -> Stream:
    made = Stream(f'{{came="{came}"}}')
    made.queue.put(Entries(made.labels, Kept([1], [b"x"]), ticket()), came)
    return made


def test_of_those_due_the_one_that_waited_longest() -> None:
    schedule = Schedule()
    young, old, oldest = stream(3.0), stream(2.0), stream(1.0)
    schedule.add(young, 4.0, now=0.0)
    schedule.add(old, 5.0, now=0.0)
    schedule.add(oldest, 6.0, now=0.0)
    assert (schedule.due(0.0), schedule.next_due) == (0, 4.0)
    assert (schedule.due(5.5), schedule.next_due) == (2, 6.0)
    assert [schedule.pop(5.5), schedule.pop(5.5), schedule.pop(5.5)] == [old, young, None]
    assert schedule
    assert schedule.pop(6.0) is oldest
    assert (schedule.due(9.0), schedule.next_due) == (0, inf)
    assert not schedule


def test_one_that_is_due_when_it_comes_stands_with_the_others_by_its_age() -> None:
    schedule = Schedule()
    old, young, oldest = stream(2.0), stream(3.0), stream(1.0)
    schedule.add(old, 4.0, now=0.0)
    schedule.add(young, 5.0, now=5.0)
    schedule.add(oldest, 0.0, now=5.0)
    assert [schedule.pop(5.0), schedule.pop(5.0), schedule.pop(5.0)] == [oldest, old, young]


def test_a_new_turn_replaces_the_old() -> None:
    schedule = Schedule()
    hurried, delayed = stream(1.0), stream(2.0)
    schedule.add(hurried, 60.0, now=0.0)
    schedule.add(hurried, 0.0, now=0.0)
    schedule.add(delayed, 0.0, now=0.0)
    assert schedule.due(1.0) == 2
    schedule.add(delayed, 30.0, now=1.0)
    assert [schedule.pop(1.0), schedule.pop(1.0)] == [hurried, None]
    assert (schedule.due(1.0), schedule.next_due) == (0, 30.0)
    assert [schedule.pop(60.0), schedule.pop(60.0)] == [delayed, None]
