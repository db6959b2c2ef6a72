import asyncio
import subprocess
import sys
import threading

import pytest

from shipper.threads import Patience, in_thread

ENDS = """
import asyncio, threading
from shipper.threads import in_thread
async def main():
    in_thread(threading.Event().wait)
asyncio.run(main())
"""


async def test_it_is_done_when_the_work_has_returned() -> None:
    gate = threading.Event()

    def work() -> None:
        gate.wait(20)

    done = in_thread(work)
    await asyncio.sleep(0)
    assert not done.done()
    gate.set()
    await done


async def test_its_result_is_that_of_the_work() -> None:
    assert await in_thread(lambda: 5) == 5


async def test_an_error_is_raised_where_it_is_awaited() -> None:
    def fails() -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        await in_thread(fails)


def test_a_process_ends_though_the_work_never_does() -> None:
    subprocess.run([sys.executable, "-c", ENDS], check=True, timeout=20)


def test_work_that_returns_in_time_is_waited_for() -> None:
    done: list[int] = []
    Patience(20).run(lambda: done.append(1))
    assert done == [1]


def test_work_that_fails_in_time_raises_its_error() -> None:
    def fails() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Patience(20).run(fails)


def test_work_that_hangs_is_waited_for_once_and_nothing_is_run_beside_it() -> None:
    gate, ended = threading.Event(), threading.Event()
    done: list[int] = []

    def hangs() -> None:
        gate.wait(20)
        ended.set()

    patience = Patience(0.01)
    with pytest.raises(TimeoutError, match=r"takes more than 0\.01 s"):
        patience.run(hangs)
    for _ in range(3):
        with pytest.raises(TimeoutError, match="has not returned"):
            patience.run(lambda: done.append(1))
    gate.set()
    assert ended.wait(20)
    assert done == []
