"""One request to a directory over HTTP: questions, and the answers to them or why there are none.

Knows HTTP, TLS and the token; nothing of lines, batches and repetition. Whatever comes back is bounded in time and
size. Redirects are not followed: the token is for the directory alone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from shipper import __version__
from shipper.config import PeersConfig
from shipper.credentials import CredentialError, authorization, tls_context
from shipper.errors import fault
from shipper.peers.answers import answers
from shipper.peers.errors import AWAY, BAD_ANSWER, CONFIGURATION, CONNECTION, REFUSED, TIMEOUT, NoAnswer
from shipper.peers.timing import PeerTiming
from shipper.pipeline.workloads import Answer
from shipper.proxy import proxy_for
from shipper.who.protocol import PATH, asking

log = logging.getLogger(__name__)

Ask = Callable[[Sequence[tuple[str, int]]], Awaitable[Sequence[Answer | None]]]
"""Asks about addresses and times, in nanoseconds since 1970. An answer for each; None: it cannot be true.

Raises NoAnswer, and nothing else."""
Connect = Callable[[], AbstractAsyncContextManager[Ask]]

IDLE: Final = 15.0  # seconds an unused connection is kept, and a name's address is believed
REFUSAL_BYTES: Final = 4096  # of a refusal's body that are read


class _Refusal(msgspec.Struct):
    error: str = ""


@asynccontextmanager
async def connected(config: PeersConfig, timing: PeerTiming) -> AsyncIterator[Ask]:
    """A session with the configured directory.

    Token and certificates are read again when their files change. The proxy is taken from the environment.
    """
    within = max(float(config.timeout), timing.response)
    base = URL(config.url)
    url = base.with_path(base.path.rstrip("/") + PATH)
    token = authorization(config.bearer_token_file)
    tls = tls_context(config.tls_config) if url.scheme == "https" else None
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE, ttl_dns_cache=int(IDLE)),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Uncompressed, and not decompressed either: what gzip holds has no bound.
        auto_decompress=False,
        headers={
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"mtls-shipper/{__version__}",
        },
        proxy=proxy_for(url),
        timeout=aiohttp.ClientTimeout(total=None),
    )

    async def ask(questions: Sequence[tuple[str, int]]) -> list[Answer | None]:
        try:
            async with asyncio.timeout(within):
                async with session.post(
                    url,
                    data=asking(questions),
                    headers={"Authorization": token.value()} if token else None,
                    ssl=tls.value() if tls else True,
                    server_hostname=config.tls_config.server_name or None,
                    allow_redirects=False,
                ) as response:
                    body = await _body(response, timing.body)
            return answers(body, questions)
        except NoAnswer:
            raise
        except CredentialError as error:
            raise NoAnswer(CONFIGURATION, AWAY, str(error)) from error
        except TimeoutError as error:
            raise NoAnswer(TIMEOUT, TIMEOUT, f"no whole answer within {within:g} s") from error
        except Exception as error:  # a network, and what answers, can fail in any way
            log.debug("no answer of the directory", exc_info=error)
            raise NoAnswer(CONNECTION, AWAY, fault(error).text) from error

    async with session:
        yield ask


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body of an answer. Raises NoAnswer for a refusal, and for one that is too large."""
    status = response.status
    if status != 200:
        location = response.headers.get("Location", "")
        leads = f", which leads to {_line(location)} and is not followed" if 300 <= status < 400 else ""
        said = _line(await _refusal(response))
        raise NoAnswer(str(status), REFUSED, f"status {status}{leads}{f': {said}' if said else ''}")
    body = bytearray()
    async for data in response.content.iter_any():
        body += data
        if len(body) > most:
            raise NoAnswer(BAD_ANSWER, BAD_ANSWER, f"its answer has more than {most} bytes")
    return bytes(body)


async def _refusal(response: aiohttp.ClientResponse) -> str:
    """What a refusal says, as a directory says it; pages of others are not shown."""
    try:
        return msgspec.json.decode(await response.content.read(REFUSAL_BYTES), type=_Refusal).error
    except (aiohttp.ClientError, msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _line(text: str) -> str:
    """A text of the other side's in one line of the log."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:200])
