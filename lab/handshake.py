"""TLS by hand over asyncio streams: unlike asyncio's own, it tells the other side why it refuses (the TLS alert)."""

import asyncio
import ssl


class Tls:
    """One side of a TLS connection."""

    def __init__(
        self,
        context: ssl.SSLContext,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server_name: str | None = None,
    ) -> None:
        self._reader, self._writer = streams
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._side = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_name is None, server_hostname=server_name
        )

    async def shake_hands(self) -> None:
        """The handshake; ssl.SSLError when either side refuses, and then the other has been told."""
        while True:
            try:
                self._side.do_handshake()
                return
            except ssl.SSLWantReadError:
                pass  # it is the other side's turn
            finally:
                await self._flush()
            await self._receive()

    async def read(self) -> bytes:
        """What the other side has sent, at least a byte; ssl.SSLError at the end, orderly or not."""
        while True:
            try:
                return self._side.read(1 << 14)
            except ssl.SSLWantReadError:
                await self._receive()

    async def write(self, data: bytes) -> None:
        """Send all of it."""
        self._side.write(data)
        await self._flush()

    async def _flush(self) -> None:
        self._writer.write(self._outgoing.read())
        await self._writer.drain()

    async def _receive(self) -> None:
        data = await self._reader.read(1 << 16)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
