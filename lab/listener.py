"""The port of a stand-in: it can go away and come back, as servers do."""

import socket
import ssl
from typing import Any

from aiohttp import web


class Listener:
    """Serves an application on a loopback port, always the same one."""

    def __init__(self, app: web.Application, *, context: ssl.SSLContext | None = None, **settings: Any) -> None:
        """`settings` are those of aiohttp's AppRunner."""
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, **settings)
        self._context = context
        self._socket: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._site: web.SockSite | None = None

    async def start(self) -> None:
        """Begin to serve."""
        await self._runner.setup()
        await self.listen()

    async def close(self) -> None:
        """End for good."""
        await self._runner.cleanup()

    async def listen(self) -> None:
        """Accept connections, again after `kill`."""
        listener = self._socket or socket.create_server(("127.0.0.1", self.port))
        self._socket = None
        self._site = web.SockSite(self._runner, listener, ssl_context=self._context)
        await self._site.start()

    async def kill(self) -> None:
        """Go away: new connections are refused, open ones break."""
        if self._site is not None:
            await self._site.stop()
            self._site = None
        self.break_connections()

    @property
    def is_listening(self) -> bool:
        """Whether it accepts connections."""
        return self._site is not None

    def break_connections(self) -> None:
        """Break every open connection."""
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()
