"""One push over HTTP: bytes to Loki, and its answer as an error that says what to do.

Knows HTTP, TLS and credentials; nothing of entries, streams, order or repetition.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from http import HTTPStatus
from math import inf
from types import TracebackType
from typing import Self

import aiohttp
from prometheus_client import Histogram
from yarl import URL

from shipper import __version__
from shipper.config import ClientConfig
from shipper.credentials import authorization, tls_context
from shipper.errors import fault
from shipper.log import HOUR, Seldom
from shipper.metrics import Metrics
from shipper.proxy import proxy_for
from shipper.sink.answers.redirect import explained, followed
from shipper.sink.answers.refusal import TEXT_LIMIT
from shipper.sink.answers.status import (
    CutOff,
    PushError,
    TenantLimited,
    TimedOut,
    Unavailable,
    judge,
    seconds_to_wait,
)
from shipper.sink.connections import Connections
from shipper.sink.no_answer import no_answer

log = logging.getLogger(__name__)

CUT_OFF = (aiohttp.ClientOSError, aiohttp.ClientConnectionResetError, aiohttp.ServerDisconnectedError)


class Client:
    """A session with Loki's push endpoint; an asynchronous context.

    Secrets and certificates are read again when their files change. The proxy is taken from the environment; ~/.netrc
    is not read.
    """

    def __init__(self, config: ClientConfig, metrics: Metrics, *, wall: Callable[[], float] = time.time) -> None:
        self._url = URL(config.url)
        self._timeout = float(config.timeout)
        self._metrics = metrics
        self._seconds: dict[int, Histogram] = {}  # by status: finding one by its labels costs more than an entry
        self._wall = wall
        self._headers = _headers(config)
        self._authorization = authorization(config.bearer_token_file, config.basic_auth)
        self._tls = tls_context(config.tls_config) if self._url.scheme == "https" else None
        self._server_name = config.tls_config.server_name or None
        self._proxy = proxy_for(self._url)
        self._reports = Seldom()
        self._connections: Connections | None = None

    async def __aenter__(self) -> Self:
        self._connections = Connections(self._new_session, aiohttp.DefaultResolver())
        return self

    def _new_session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=0.9 * self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            proxy=self._proxy,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._connections is not None
        await self._connections.close()

    async def push(self, body: bytes, patience: float | None = None) -> PushError | None:
        """Send a snappy block that holds a push request. None: all of it is stored.

        `patience`: how long the whole may take, in seconds, perhaps infinite; by default `timeout`, which is the limit
        for connecting in any case. Whatever the other side does is returned, never raised.
        """
        assert self._connections is not None, "the client is not open"
        patience = patience or self._timeout
        begun, status = time.monotonic(), 0
        pool = self._connections.begin()
        failed = True
        try:
            async with asyncio.timeout(patience) if patience < inf else nullcontext():
                status, error = await self._exchange(pool.session, self._url, body)
            failed = isinstance(error, Unavailable) and not isinstance(error, TenantLimited)
        except aiohttp.ConnectionTimeoutError:
            error = Unavailable("timeout", f"no connection within {0.9 * self._timeout:.3g} s")
        except TimeoutError:
            error = TimedOut("timeout", f"no whole answer within {patience:.3g} s")
        except Exception as raised:  # a network, and what answers, can fail in any way
            log.debug("no answer to a push", exc_info=raised)
            error = no_answer(raised, self._url, self._proxy)
            if isinstance(raised, CUT_OFF) and not isinstance(raised, aiohttp.ClientConnectorError):
                error = CutOff(error.cause, error.text)
        finally:
            self._took(status).observe(time.monotonic() - begun)
            if session := self._connections.end(pool, failed=failed):
                await session.close()
        if error is None:
            self._metrics.push_bytes.inc(len(body))
        return error

    async def _exchange(self, session: aiohttp.ClientSession, url: URL, body: bytes) -> tuple[int, PushError | None]:
        response = await self._post(session, url, body)
        status = response.status
        if status == HTTPStatus.NO_CONTENT:  # Loki's usual answer; the connection is given back already
            return status, None
        async with response:
            try:
                text = await _text(response)
            except aiohttp.ClientError as error:
                said = f"status {status}, and what follows cannot be read: {fault(error).text}"
                return status, Unavailable("connection", said)
        headers = response.headers
        location = headers.get("Location", "")
        if url is self._url and (moved := followed(url, status, location)):
            if self._reports.due("redirect", HOUR):
                log.warning("%s redirects each push to %s, which is followed: set the URL to it",
                            url, moved.with_query(None))  # fmt: skip
            return await self._exchange(session, moved, body)
        after = seconds_to_wait(headers.get("Retry-After", ""), self._wall())
        redirect = explained(url, location) if 300 <= status < 400 else ""
        return status, judge(status, text, after, content_type=headers.get("Content-Type", ""), redirect=redirect)

    async def _post(self, session: aiohttp.ClientSession, url: URL, body: bytes) -> aiohttp.ClientResponse:
        return await session.post(
            url,
            data=body,
            headers={"Authorization": self._authorization.value()} if self._authorization else None,
            ssl=self._tls.value() if self._tls else True,
            server_hostname=self._server_name,
            allow_redirects=False,
        )

    def _took(self, status: int) -> Histogram:
        if (seconds := self._seconds.get(status)) is None:
            seconds = self._seconds[status] = self._metrics.push_seconds.labels(status=str(status))
        return seconds


async def _text(response: aiohttp.ClientResponse) -> str:
    """The answer's text, and of a long one its beginning; what is left closes the connection."""
    read = bytearray()
    while len(read) < TEXT_LIMIT and (chunk := await response.content.read(TEXT_LIMIT - len(read))):
        read += chunk
    return read.decode(errors="replace")


def _headers(config: ClientConfig) -> dict[str, str]:
    """The agent's own headers, and the configured ones that do not override them."""
    own = {
        "Content-Type": "application/x-protobuf",
        "User-Agent": f"mtls-shipper/{__version__}",
        "Accept-Encoding": "identity",  # to leave it out costs aiohttp more, each time
    }
    if config.tenant_id:
        own["X-Scope-OrgID"] = config.tenant_id
    taken = {name.lower() for name in own}
    if config.basic_auth.username or config.bearer_token_file:
        taken.add("authorization")
    return own | {name: value for name, value in config.headers.items() if name.lower() not in taken}
