"""An HTTP server of our own. What it serves is given; the headers and errors of all pages are the same.

It answers GET and HEAD: nothing can be changed over it. `/ready`: configured, log directory readable, first scan done.
An idle node is ready, and a dead Loki changes nothing: else an outage would restart every agent. `/healthz`: the event
loop lives.
"""

import errno
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from shipper.config import ServerConfig
from shipper.errors import said

log = logging.getLogger(__name__)

# No script, no frame, nothing from elsewhere: a name in a log may hold anything, and a page shows it.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Server": "mtls-shipper",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def probes(
    registry: CollectorRegistry, is_ready: Callable[[], bool], not_ready: str = "the log directory was not yet read"
) -> list[web.RouteDef]:
    """`/metrics`, `/ready` and `/healthz`."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def ready(_: web.Request) -> web.Response:
        if is_ready():
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"not ready: {not_ready}\n")

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    return [web.get("/metrics", metrics), web.get("/ready", ready), web.get("/healthz", healthz)]


def application(routes: Sequence[web.RouteDef]) -> web.Application:
    """These routes, with the headers of every page; an unknown path is told which there are."""
    paths = ", ".join(route.path for route in routes)

    @web.middleware
    async def errors_in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return web.Response(status=404, text=f"there is no such page; there are: {paths}\n")
        except web.HTTPMethodNotAllowed as error:
            allowed = sorted(error.allowed_methods)
            text = "nothing can be changed here: GET and HEAD only" if "GET" in allowed else "a question is a POST"
            return web.Response(status=405, text=f"{text}\n", headers={"Allow": ",".join(allowed)})

    app = web.Application(middlewares=[errors_in_words])
    app.add_routes(routes)
    app.on_response_prepare.append(_add_headers)
    return app


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


@asynccontextmanager
async def serving(
    config: ServerConfig,
    routes: Sequence[web.RouteDef],
    on_stop: Callable[[], None] | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve while the context lasts; gives the port. Raises OSError when the address cannot be had.

    `on_stop` ends answers that have no end of their own. `tls`: None for plain HTTP.
    """
    runner = web.AppRunner(application(routes), access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.http_listen_address, config.http_listen_port, ssl_context=tls)
        try:
            await site.start()
        except OSError as error:
            raise _cannot_listen(config, error) from error
        port = int(runner.addresses[0][1])
        paths = ", ".join(route.path for route in routes)
        log.info("serving %s on %s port %d", paths, config.http_listen_address, port)
        yield port
    finally:
        if on_stop:
            on_stop()
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
