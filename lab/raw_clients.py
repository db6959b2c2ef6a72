"""Callers that never get as far as a request: bytes on a socket, and half a handshake.

Each returns its own address, as the log has it.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lab.clients import SERVER_NAME
from lab.handshake import Tls

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


def client_hello(server_name: str = SERVER_NAME) -> bytes:
    """The first flight of a TLS client."""
    outgoing, context = ssl.MemoryBIO(), ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=server_name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass  # it has said hello and waits
    return outgoing.read()


async def send_plain_bytes(port: int) -> str:
    """Bytes that are neither TLS nor HTTP, as an old database client sends them."""
    return await _send_and_wait(port, b"\x00\x03\x00\x00user\x00payment\x00\x00" * 8)


async def stall(port: int) -> str:
    """A ClientHello, and then nothing more, until the server has had enough."""
    return await _send_and_wait(port, client_hello())


async def give_up(port: int) -> str:
    """A ClientHello; the server's answer is read, and the connection closed in order."""
    async with _connected(port) as (address, (reader, writer)):
        writer.write(client_hello())
        await reader.read(1)
    return address


async def refuse(port: int, context: ssl.SSLContext) -> str:
    """A handshake; whether this side refuses the server, or is refused, it is said with an alert."""
    async with _connected(port) as (address, streams):
        try:
            await Tls(context, streams, SERVER_NAME).shake_hands()
        except ssl.SSLError:
            pass  # so it should be
        await streams[0].read()
    return address


async def give_up_early(port: int) -> str:
    """Half a ClientHello, and gone."""
    async with _connected(port) as (address, (_, writer)):
        writer.write(client_hello()[:40])
        await writer.drain()
    return address


async def probe(port: int) -> str:
    """A connection and no byte, as load balancers and port scanners make it."""
    async with _connected(port) as (address, _):
        return address


async def reset(port: int) -> str:
    """A ClientHello; the server's answer is seen, and the connection reset."""
    async with _connected(port) as (address, (reader, writer)):
        writer.write(client_hello())
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()
    return address


async def tunnel(port: int, context: ssl.SSLContext | None, to: int) -> bytes:
    """A CONNECT to a port of this host, over TLS if there is a context, closed in order; the answer's first line."""
    authority = f"127.0.0.1:{to}"
    try:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=SERVER_NAME if context else None
        )
        writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()  # a reset would be a line of its own
    except OSError:
        return b""  # refused in the handshake, or behind it, as TLS 1.3 does
    return answer


async def _send_and_wait(port: int, data: bytes) -> str:
    async with _connected(port) as (address, (reader, writer)):
        writer.write(data)
        try:
            await reader.read()  # to the end
        except ConnectionError:
            pass  # or so
    return address


@asynccontextmanager
async def _connected(port: int) -> AsyncIterator[tuple[str, Streams]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield "{}:{}".format(*writer.get_extra_info("sockname")), (reader, writer)
    finally:
        writer.close()
