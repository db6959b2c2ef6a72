"""The event loop of the agent: asyncio's own, whose lookups of names nothing waits for.

The system's resolver cannot be interrupted: with a silent name server it returns after half a minute or more. asyncio
asks it in the threads that also read files, of which there are few, and waits for them at the exit. Here each name is
looked up in a thread of its own, which ends with the process, and is given up after a deadline.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

WITHIN: Final = 5.0  # seconds; the system's resolver turns to the next name server after as many

_Lookup = asyncio.Future[Any]  # what the resolver gives, or the OSError that it raises


class Loop(asyncio.SelectorEventLoop):
    """An event loop that never waits for a resolver."""

    def __init__(self, *, within: float = WITHIN, getaddrinfo: Callable[..., Any] = socket.getaddrinfo) -> None:
        """`within`: seconds after which a lookup has failed. It goes on, and a late answer is given to the next ask."""
        super().__init__()
        self._within, self._getaddrinfo = within, getaddrinfo
        self._lookups: dict[tuple[Any, ...], _Lookup] = {}  # by what was asked; nobody has taken their answers yet

    async def getaddrinfo(self, host: Any, port: Any, **hints: int) -> Any:
        """As `socket.getaddrinfo`. Raises OSError, also when there is no answer in time."""
        asked = host, port, *sorted(hints.items())
        if (lookup := self._lookups.get(asked)) is None:
            lookup = self._lookups[asked] = self._begin(host, port, hints)
        try:
            async with asyncio.timeout(self._within):
                found = await asyncio.shield(lookup)
        except TimeoutError:
            said = f"no name server has answered for {host} within {self._within:g} s"
            raise socket.gaierror(socket.EAI_AGAIN, said) from None
        if self._lookups.get(asked) is lookup:
            del self._lookups[asked]
        if isinstance(found, Exception):
            raise found
        return found

    def _begin(self, host: Any, port: Any, hints: dict[str, int]) -> _Lookup:
        answer: _Lookup = self.create_future()

        def look_up() -> None:
            try:
                found = self._getaddrinfo(host, port, **hints)
            except Exception as error:  # also UnicodeError, of a name that DNS cannot hold
                found = error
            try:
                self.call_soon_threadsafe(answer.set_result, found)
            except RuntimeError:  # the loop is closed by now
                pass

        threading.Thread(target=look_up, name=f"resolve {host}", daemon=True).start()
        return answer
