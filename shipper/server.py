"""The agent's own HTTP server: metrics, health, and the targets.

`/ready`: configured, log directory readable, first scan done. An idle node is ready, and a dead Loki changes nothing:
else an outage would restart every agent. `/healthz`: the event loop lives.
"""

import errno
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from shipper.config import ServerConfig
from shipper.errors import said

log = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    config: ServerConfig,
    registry: CollectorRegistry,
    is_ready: Callable[[], bool],
    describe: Callable[[], Any],
) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port. Raises OSError when the address cannot be had."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def ready(_: web.Request) -> web.Response:
        if is_ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready: the log directory was not yet read\n")

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def targets(_: web.Request) -> web.Response:
        body = orjson.dumps(describe(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/ready", ready)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/targets", targets)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.http_listen_address, config.http_listen_port)
        try:
            await site.start()
        except OSError as error:
            raise _cannot_listen(config, error) from error
        port = int(runner.addresses[0][1])
        log.info("serving /metrics, /ready, /healthz and /targets on %s port %d", config.http_listen_address, port)
        yield port
    finally:
        await runner.cleanup()


def _cannot_listen(config: ServerConfig, error: OSError) -> OSError:
    """The error, with the setting that can change it."""
    advice = {
        errno.EADDRINUSE: ": another agent, or set server.http_listen_port",
        errno.EACCES: ": set server.http_listen_port to one above 1023",
    }.get(error.errno or 0, ": set server.http_listen_address")
    # Since Python 3.13 this node's lack of an address is an error without a number.
    what = said(error if error.errno else OSError(errno.EADDRNOTAVAIL, ""))
    return OSError(f"cannot listen on {config.http_listen_address} port {config.http_listen_port}: {what}{advice}")
