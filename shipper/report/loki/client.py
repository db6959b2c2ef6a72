"""Queries over HTTP, with the credentials, certificates, tenant and proxy of the client that pushes.

Repeats what may work later, for a while; knows nothing of pages.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from shipper import __version__
from shipper.backoff import waits
from shipper.config import ClientConfig
from shipper.credentials import CredentialError, authorization, tls_context
from shipper.proxy import proxy_for
from shipper.report.loki.answer import QueryRefused, QueryUnavailable, entries_of, error_of
from shipper.report.loki.paging import Entry, PageTooLarge, WindowTooLarge
from shipper.sink.answers.status import seconds_to_wait
from shipper.sink.no_answer import no_answer

PUSH, QUERY = "/loki/api/v1/push", "/loki/api/v1/query_range"
MOST_BYTES: Final = 128 << 20  # of an answer
TIMEOUT: Final = 120.0  # seconds for one answer
PATIENCE: Final = 60.0  # seconds of failures in a row, then it is given up


def query_url(url: str) -> URL:
    """Where to query the Loki with this URL: its own, or where it takes pushes."""
    found = URL(url)
    path = found.path.rstrip("/").removesuffix(PUSH).removesuffix(QUERY)
    return found.with_path(f"{path}{QUERY}").with_query(None)


class QueryClient:
    """A session with one Loki; an asynchronous context."""

    def __init__(
        self,
        config: ClientConfig,
        query: str,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.url = query_url(config.url)
        self.warnings: dict[str, None] = {}  # of Loki's, each once
        self._query, self._config = query, config
        self._patience, self._clock, self._sleep = patience, clock, sleep
        self._authorization = authorization(config.bearer_token_file, config.basic_auth)
        self._tls = tls_context(config.tls_config) if self.url.scheme == "https" else None
        self._proxy = proxy_for(self.url)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"User-Agent": f"mtls-shipper/{__version__}", **self._config.headers}
        if self._config.tenant_id:
            headers["X-Scope-OrgID"] = self._config.tenant_id
        timeout = aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=self._config.timeout)
        self._session = aiohttp.ClientSession(headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def ask(self, begin: int, end: int, most: int) -> list[Entry]:
        """The entries in [begin, end), at most so many, the oldest first. Raises QueryRefused, QueryUnavailable,
        PageTooLarge, WindowTooLarge."""
        given_up, pauses = self._clock() + self._patience, waits(0.5, 10)
        while True:
            try:
                return await self._once(begin, end, most)
            except QueryUnavailable as error:
                pause = error.after or next(pauses)
                if self._clock() + pause > given_up:
                    raise
            await self._sleep(pause)

    async def _once(self, begin: int, end: int, most: int) -> list[Entry]:
        assert self._session is not None, "the client is not open"
        wanted = {
            "query": self._query,
            "start": str(begin),
            "end": str(end),
            "limit": str(most),
            "direction": "forward",
        }
        try:
            async with self._session.get(
                self.url,
                params=wanted,
                headers={"Authorization": self._authorization.value()} if self._authorization else None,
                ssl=self._tls.value() if self._tls else True,
                server_hostname=self._config.tls_config.server_name or None,
                proxy=self._proxy,
                allow_redirects=False,
            ) as response:
                return await self._read(response)
        except CredentialError as error:
            raise QueryRefused(str(error)) from error
        except (QueryRefused, QueryUnavailable, PageTooLarge, WindowTooLarge):
            raise
        except TimeoutError as error:
            raise WindowTooLarge(f"no whole answer within {TIMEOUT:.0f} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise QueryUnavailable(str(no_answer(error, self.url, self._proxy).text)) from error

    async def _read(self, response: aiohttp.ClientResponse) -> list[Entry]:
        body = bytearray()
        async for chunk in response.content.iter_chunked(1 << 18):
            body += chunk
            if len(body) > MOST_BYTES:
                raise PageTooLarge(f"an answer of more than {MOST_BYTES >> 20} MiB")
        content_type = response.headers.get("Content-Type", "")
        if response.status != 200:
            after = seconds_to_wait(response.headers.get("Retry-After", ""), time.time())
            raise error_of(response.status, body.decode(errors="replace"), after)
        entries, warnings = entries_of(bytes(body), content_type)
        self.warnings |= dict.fromkeys(warnings)
        return entries
