"""Turns of streams."""

from shipper.entries import Entries
from shipper.model import Kept, Ticket
from shipper.sink.schedule import Schedule
from shipper.sink.stream import Stream


def stream(came: float) -> Stream:
    made = Stream(f'{{came="{came}"}}')
    made.queue.put(Entries(made.labels, Kept([1], [b"x"]), Ticket(object(), object(), 0)), came)
    return made


def test_of_those_due_the_one_that_waited_longest() -> None:
    schedule = Schedule()
    young, old, oldest = stream(3.0), stream(2.0), stream(1.0)
    schedule.add(young, 4.0)
    schedule.add(old, 5.0)
    schedule.add(oldest, 6.0)
    assert schedule.next_due(0.0) == 4.0
    assert schedule.next_due(5.5) == 5.5
    assert [schedule.pop(5.5), schedule.pop(5.5), schedule.pop(5.5)] == [old, young, None]
    assert schedule.pop(6.0) is oldest
    assert schedule.next_due(9.0) is None


def test_a_new_turn_replaces_the_old() -> None:
    schedule = Schedule()
    hurried, delayed = stream(1.0), stream(2.0)
    schedule.add(hurried, 60.0)
    schedule.add(hurried, 0.0)
    schedule.add(delayed, 0.0)
    assert schedule.next_due(1.0) == 1.0
    schedule.add(delayed, 30.0)
    assert [schedule.pop(1.0), schedule.pop(1.0)] == [hurried, None]
    assert schedule.next_due(1.0) == 30.0
    assert [schedule.pop(60.0), schedule.pop(60.0)] == [delayed, None]
