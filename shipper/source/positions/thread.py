"""Work that may block for ever, on a thread that nobody waits for."""

import asyncio
import contextlib
import threading
from collections.abc import Callable


def in_thread(work: Callable[[], None]) -> asyncio.Future[None]:
    """Done when `work` has returned, with its exception.

    Not `asyncio.to_thread`: the process could not end before its threads have.
    """
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:  # raised where the future is awaited
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=run, name="positions", daemon=True).start()
    return done
