"""The servers a sidecar calls: one that is right, and one for each way to fail an upstream handshake.

Real sockets, real TLS. Names are those of the clusters that lead to them.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.application import ANSWER
from lab.certificates import Certificates, Identity
from lab.clients import narrow
from lab.handshake import Tls

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server: what it shows, and what it demands."""

    identity: Identity | None = None  # None for one with a handler of its own
    handler: Handler | None = None  # what it does instead
    trust: Path | None = None  # the root its clients must come from, if not the mesh's
    version: ssl.TLSVersion | None = None  # the only one it speaks
    ciphers: str = ""  # the only ones it speaks, of TLS 1.2


def upstreams(certificates: Certificates) -> dict[str, Upstream]:
    """All of them, by name."""
    own = certificates.payment
    return {
        "fine": Upstream(own),
        "expired": Upstream(certificates.expired),
        "not-yet-valid": Upstream(certificates.not_yet_valid),
        "untrusted": Upstream(certificates.untrusted),
        "self-signed": Upstream(certificates.self_signed),
        "wrong-san": Upstream(certificates.checkout),
        "plaintext": Upstream(handler=_bad_request),
        "silent": Upstream(handler=_silence),
        "tls-1.1": Upstream(own, version=ssl.TLSVersion.TLSv1_1),
        "other-cipher": Upstream(own, version=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305"),
        "distrusts-us": Upstream(own, trust=certificates.stranger, version=ssl.TLSVersion.TLSv1_2),
        "distrusts-us-late": Upstream(own, trust=certificates.stranger, version=ssl.TLSVersion.TLSv1_3),
    }


@asynccontextmanager
async def serving(servers: dict[str, Upstream], root: Path) -> AsyncIterator[dict[str, int]]:
    """Their ports, as long as the context lasts; `root` is the mesh's."""
    async with AsyncExitStack() as stack:
        ports = {}
        for name, one in servers.items():
            server = await asyncio.start_server(one.handler or _answering(one, root), "127.0.0.1", 0)
            stack.callback(server.close)
            ports[name] = int(server.sockets[0].getsockname()[1])
        yield ports


def _answering(one: Upstream, root: Path) -> Handler:
    """Answers requests, if the handshake holds."""
    context = _context(one, root)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = Tls(context, (reader, writer))
        try:
            await tls.shake_hands()
            while b" /slow " not in await tls.read():
                await tls.write(ANSWER)
            await tls.read()  # till the proxy has waited long enough and hangs up
        except OSError:
            pass  # refused, by either side, or hung up
        finally:
            writer.close()

    return answer


def _context(one: Upstream, root: Path) -> ssl.SSLContext:
    assert one.identity is not None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=one.trust or root)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(one.identity.certificate, one.identity.key)
    narrow(context, one.version, one.ciphers)
    return context


async def _bad_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An HTTP server that is sent something else."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes everything, and never answers."""
    try:
        await reader.read()
    except ConnectionError:
        pass  # the proxy has waited long enough
    writer.close()
