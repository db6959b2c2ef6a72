import asyncio
import subprocess
import sys
import threading

import pytest

from shipper.source.positions.thread import in_thread

ENDS = """
import asyncio, threading
from shipper.source.positions.thread import in_thread
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


async def test_an_error_is_raised_where_it_is_awaited() -> None:
    def fails() -> None:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        await in_thread(fails)


def test_a_process_ends_though_the_work_never_does() -> None:
    subprocess.run([sys.executable, "-c", ENDS], check=True, timeout=20)
