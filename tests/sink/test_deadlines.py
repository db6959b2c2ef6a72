"""What takes too long is ended, and nothing else."""

import asyncio
from typing import Any

import pytest

from shipper.sink.deadlines import Deadlines


async def hang() -> str:
    await asyncio.Event().wait()
    return "never"


async def answer(gate: asyncio.Event) -> str:
    await gate.wait()
    return "in time"


async def test_each_has_its_time_from_its_own_beginning(clock: Any) -> None:
    deadlines = Deadlines(10.0)
    first = asyncio.create_task(deadlines.within(hang()))
    await clock.pass_by(6.0)
    second = asyncio.create_task(deadlines.within(hang()))
    await clock.pass_by(3.0)
    assert not first.done()
    await clock.pass_by(1.0)
    assert isinstance(first.exception(), TimeoutError)
    assert not second.done()
    await clock.pass_by(6.0)
    assert isinstance(second.exception(), TimeoutError)


async def test_all_that_ends_in_time_has_one_timer(clock: Any) -> None:
    deadlines, gate = Deadlines(10.0), asyncio.Event()
    tasks = [asyncio.create_task(deadlines.within(answer(gate))) for _ in range(50)]
    await clock.pass_by(1.0)
    assert clock.timers() == 1
    gate.set()
    assert await asyncio.gather(*tasks) == ["in time"] * 50
    late = asyncio.create_task(deadlines.within(hang()))
    await clock.pass_by(9.0)  # the timer rings for those that are gone
    assert not late.done()
    await clock.pass_by(1.0)
    assert isinstance(late.exception(), TimeoutError)
    assert clock.timers() == 0


async def test_who_cancels_it_sees_it_cancelled_even_at_the_last_moment(clock: Any) -> None:
    deadlines = Deadlines(10.0)
    early, late = (asyncio.create_task(deadlines.within(hang())) for _ in range(2))
    await clock.pass_by()
    early.cancel()
    await clock.pass_by()
    assert early.cancelled()
    clock.now += 10.0
    asyncio.get_running_loop().call_soon(late.cancel)  # in the same turn of the loop
    await clock.pass_by()
    assert late.cancelled()


async def test_a_task_goes_on_as_if_nothing_had_been_cancelled(clock: Any) -> None:
    deadlines, gate = Deadlines(10.0), asyncio.Event()

    async def twice() -> tuple[int, str]:
        with pytest.raises(TimeoutError):
            await deadlines.within(hang())
        task = asyncio.current_task()
        return task.cancelling() if task else -1, await deadlines.within(answer(gate))

    task = asyncio.create_task(twice())
    await clock.pass_by(10.0)
    gate.set()
    assert await task == (0, "in time")


async def test_what_makes_another_failure_of_it_is_left_no_cancellation(clock: Any) -> None:
    async def wrapped() -> None:
        try:
            await hang()
        except asyncio.CancelledError as error:
            raise ConnectionError("cut") from error

    async def held() -> int:
        with pytest.raises(ConnectionError):
            await Deadlines(10.0).within(wrapped())
        task = asyncio.current_task()
        return task.cancelling() if task else -1

    task = asyncio.create_task(held())
    await clock.pass_by(10.0)
    assert await task == 0


async def test_closed_it_holds_no_timer(clock: Any) -> None:
    deadlines, gate = Deadlines(10.0), asyncio.Event()
    gate.set()
    assert await deadlines.within(answer(gate)) == "in time"
    deadlines.close()
    assert clock.timers() == 0
