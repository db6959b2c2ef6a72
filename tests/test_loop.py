"""Names are looked up in threads that nothing waits for, and given up after a deadline."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shipper.loop import Loop

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 3100))]


class NameServer:
    """A resolver that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.answers = threading.Event()
        self.error: Exception | None = None

    def __call__(self, host: str, port: int, **_hints: int) -> list[Any]:
        self.asked.append((host, port))
        self.answers.wait(20)
        if self.error:
            raise self.error
        return FOUND


@pytest.fixture
def names() -> Iterator[NameServer]:
    names = NameServer()
    yield names
    names.answers.set()


def run(loop: Loop, do: Callable[[], Any]) -> Any:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(do())


def test_a_name_is_looked_up(names: NameServer) -> None:
    names.answers.set()
    loop = Loop(getaddrinfo=names)
    assert run(loop, lambda: loop.getaddrinfo("loki", 3100, family=socket.AF_INET)) == FOUND
    assert names.asked == [("loki", 3100)]


@pytest.mark.parametrize("error", [socket.gaierror(-2, "Name or service not known"), UnicodeError("label too long")])
def test_an_error_is_raised_as_it_is(names: NameServer, error: Exception) -> None:
    names.error = error
    names.answers.set()
    loop = Loop(getaddrinfo=names)
    with pytest.raises(type(error), match=str(error.args[-1])):
        run(loop, lambda: loop.getaddrinfo("loki", 3100))


def test_a_silent_name_server_is_an_error_in_time_and_holds_up_no_exit(names: NameServer) -> None:
    loop = Loop(getaddrinfo=names, within=0.02)
    with pytest.raises(socket.gaierror, match=r"no name server has answered for loki within 0\.02 s"):
        run(loop, lambda: loop.getaddrinfo("loki", 3100))
    assert loop.is_closed()
    assert not names.answers.is_set()


def test_a_name_is_looked_up_once_at_a_time_and_a_late_answer_serves_the_next(names: NameServer) -> None:
    loop = Loop(getaddrinfo=names, within=0.02)

    async def ask() -> Any:
        for _ in range(2):
            with pytest.raises(socket.gaierror):
                await loop.getaddrinfo("loki", 3100)
        names.answers.set()
        async with asyncio.timeout(20):
            return await loop.getaddrinfo("loki", 3100)

    assert run(loop, ask) == FOUND
    assert len(names.asked) == 1


def test_lookups_take_none_of_the_threads_that_read_files(names: NameServer) -> None:
    loop = Loop(getaddrinfo=names, within=0.02)

    async def ask() -> str:
        await asyncio.gather(*(loop.getaddrinfo(f"loki-{n}", 1) for n in range(64)), return_exceptions=True)
        async with asyncio.timeout(20):
            return await asyncio.to_thread(lambda: "read")

    assert run(loop, ask) == "read"
    assert len(names.asked) == 64
