"""The open connections to Loki: kept while pushes work, given up after failures in a row.

Loki's name may lead elsewhere by now, while what was there before goes on answering on an open connection. Knows
nothing of what is sent.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from shipper.sink.leniency import LenientConnector

FAILURES: Final = 3  # in a row, then connections are opened anew
IDLE: Final = 15.0  # seconds an unused connection is kept
NAME_KEPT: Final = 10.0  # seconds an address is believed, for connections that are opened


class InTurn(AbstractResolver):
    """Looks names up with another resolver, and puts another of a name's addresses first each time."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver
        self._turn = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of the host, the one whose turn it is first."""
        found = await self._resolver.resolve(host, port, family)
        first = self._turn % len(found) if found else 0
        self._turn += 1
        return found[first:] + found[:first]

    async def close(self) -> None:
        """Close the other resolver."""
        await self._resolver.close()


class Pool:
    """A session with its connections."""

    __slots__ = ("session", "under_way")

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.under_way = 0  # pushes


class Connections:
    """One pool is in use; those that were given up end with their last push."""

    def __init__(
        self, new_session: Callable[[aiohttp.TCPConnector], aiohttp.ClientSession], resolver: AbstractResolver
    ) -> None:
        self._new_session, self._resolver = new_session, InTurn(resolver)
        self._pool = self._open()
        self._given_up: set[Pool] = set()
        self._failures = 0

    def begin(self) -> Pool:
        """The pool for a push, whose end must be told with `end`."""
        self._pool.under_way += 1
        return self._pool

    def end(self, pool: Pool, *, failed: bool) -> aiohttp.ClientSession | None:
        """A push has ended. `failed`: as though Loki were away. Returns the session that must be closed, if any."""
        pool.under_way -= 1
        if failed:
            self._failures += 1
            if self._failures % FAILURES == 0 and pool is self._pool:
                self._given_up.add(pool)
                self._pool = self._open()
        else:
            self._failures = 0
        if pool is self._pool or pool.under_way:
            return None
        self._given_up.discard(pool)
        return pool.session

    async def close(self) -> None:
        """Close all connections, also those of pushes under way."""
        pools = {self._pool, *self._given_up}
        await asyncio.gather(*(pool.session.close() for pool in pools), self._resolver.close())

    def _open(self) -> Pool:
        connector = LenientConnector(  # limit: the sender knows how many
            limit=0, keepalive_timeout=IDLE, ttl_dns_cache=int(NAME_KEPT), resolver=self._resolver
        )
        return Pool(self._new_session(connector))
