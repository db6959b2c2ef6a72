"""The application behind the sidecar: answers at once, and on /slow never."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\npaid\n"


@asynccontextmanager
async def application() -> AsyncIterator[int]:
    """A payment service on a free loopback port, as long as the context lasts."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await _request_head(reader):
            if head.startswith(b"GET /slow"):
                await reader.read()  # till the proxy has waited long enough and hangs up
                return
            writer.write(ANSWER)
            await writer.drain()
    except ConnectionError:
        pass  # the proxy hung up: nothing to answer
    finally:
        writer.close()


async def _request_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
