"""Work that a disk may hold up for ever, on threads that nobody waits for without end.

Not `asyncio.to_thread`, nor an executor: a process could not end before their threads have.
"""

import asyncio
import contextlib
import errno
import threading
from collections.abc import Callable
from typing import TypeVar

Work = Callable[[], None]
Result = TypeVar("Result")


def in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
    """Done when `work` has returned, with its result or its exception."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()
    results: list[Result] = []

    def settle(error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(results[0])
        else:
            done.set_exception(error)

    def tell(error: BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, error)

    _start(lambda: results.append(work()), tell)
    return done


class Patience:
    """Runs work and waits for it, but no longer than so many seconds; nothing is run beside work that hangs."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._returned = threading.Event()
        self._returned.set()

    def run(self, work: Work) -> None:
        """Raises what `work` raises; TimeoutError, an OSError, when it does not return, or one before it has not."""
        if not self._returned.is_set():
            raise TimeoutError(errno.ETIMEDOUT, "an earlier write has not returned")
        errors: list[BaseException] = []
        returned = self._returned = threading.Event()

        def tell(error: BaseException | None) -> None:
            if error:
                errors.append(error)
            returned.set()

        _start(work, tell)
        if not returned.wait(self._seconds):
            raise TimeoutError(errno.ETIMEDOUT, f"the write takes more than {self._seconds:g} s")
        for error in errors:
            raise error


def _start(work: Work, tell: Callable[[BaseException | None], None]) -> None:
    def run() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:
            error = raised
        tell(error)

    threading.Thread(target=run, name="disk", daemon=True).start()
