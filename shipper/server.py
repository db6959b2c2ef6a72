"""The agent's own HTTP server: metrics, health, and what is read.

`/ready`: configured, log directory readable, first scan done. An idle node is ready, and a dead Loki changes nothing:
else an outage would restart every agent. `/healthz`: the event loop lives.

Written by hand, for it is four pages without parameters, one request a connection: aiohttp's server takes 2 MiB.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import orjson
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from shipper.config import ServerConfig

log = logging.getLogger(__name__)

WITHIN: Final = 10.0  # seconds from a connection to the end of its answer
HEAD_BYTES: Final = 16 << 10  # of a request: more is none of ours


class Page(NamedTuple):
    """An answer."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


Pages = dict[str, Callable[[], Page]]
"""What there is, by path."""


@asynccontextmanager
async def serving(
    config: ServerConfig,
    registry: CollectorRegistry,
    is_ready: Callable[[], bool],
    describe: Callable[[], Any],
) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port. Raises OSError when the address cannot be had."""

    def ready() -> Page:
        if is_ready():
            return Page(b"ready\n")
        return Page(b"not ready: the log directory was not yet read\n", status=HTTPStatus.SERVICE_UNAVAILABLE)

    def targets() -> Page:
        body = orjson.dumps(describe(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return Page(body, "application/json")

    pages: Pages = {
        "/metrics": lambda: Page(generate_latest(registry), CONTENT_TYPE_LATEST),
        "/ready": ready,
        "/healthz": lambda: Page(b"ok\n"),
        "/targets": targets,
    }
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection
        connections.add(connection)
        connection.add_done_callback(connections.discard)
        await _answer(pages, reader, writer)

    server = await asyncio.start_server(
        connected, config.http_listen_address, config.http_listen_port, limit=HEAD_BYTES
    )
    try:
        port = int(server.sockets[0].getsockname()[1])
        log.info("serving /metrics, /ready, /healthz and /targets on %s port %d", config.http_listen_address, port)
        yield port
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _answer(pages: Pages, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request; whoever is too slow, or speaks no HTTP, is hung up on."""
    try:
        async with asyncio.timeout(WITHIN):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(_response(pages, head.split(b"\r\n", 1)[0].decode("latin-1")))
            writer.close()
            await writer.wait_closed()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, OSError):
        pass
    finally:
        writer.transport.abort()


def _response(pages: Pages, request: str) -> bytes:
    method, _, rest = request.partition(" ")
    page = _page(pages, method, rest.partition(" ")[0].partition("?")[0])
    head = (
        f"HTTP/1.1 {page.status} {page.status.phrase}\r\n"
        f"Content-Type: {page.content_type}\r\nContent-Length: {len(page.body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if method == "HEAD" else page.body)


def _page(pages: Pages, method: str, path: str) -> Page:
    make = pages.get(path)
    if make is None:
        return Page(b"there are /metrics, /ready, /healthz and /targets\n", status=HTTPStatus.NOT_FOUND)
    if method not in ("GET", "HEAD"):
        return Page(b"GET only\n", status=HTTPStatus.METHOD_NOT_ALLOWED)
    try:
        return make()
    except Exception:
        log.exception("%s cannot be told; this is a bug, please report it", path)
        return Page(b"a bug: see the log\n", status=HTTPStatus.INTERNAL_SERVER_ERROR)
