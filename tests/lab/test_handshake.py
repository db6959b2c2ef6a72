"""Two sides in one process: what each is told when the other refuses."""

import asyncio
import ssl

import pytest

from lab import certificates
from lab.certificates import Certificates
from lab.clients import SERVER_NAME, Caller, client_context
from lab.handshake import Tls
from lab.upstreams import serving, upstreams


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


async def talk(made: Certificates, upstream: str, caller: Caller) -> bytes:
    """One request over TLS by hand; the answer's first line."""
    async with serving({upstream: upstreams(made)[upstream]}, made.root) as ports:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports[upstream])
        try:
            tls = Tls(client_context(caller, made.root), (reader, writer), SERVER_NAME)
            await tls.shake_hands()
            await tls.write(b"GET / HTTP/1.1\r\n\r\n")
            return (await tls.read()).split(b"\r\n")[0]
        finally:
            writer.close()


async def test_a_good_client_is_answered(made: Certificates) -> None:
    assert await talk(made, "fine", Caller("checkout", "", made.checkout)) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    ("upstream", "alert"),
    [
        ("distrusts-us", "unknown ca"),
        ("distrusts-us-late", "unknown ca"),  # the handshake is done here, and not there
        ("other-cipher", "handshake failure"),
        ("tls-1.1", "protocol version"),
    ],
)
async def test_who_is_refused_is_told_why(made: Certificates, upstream: str, alert: str) -> None:
    caller = Caller("checkout", "", made.checkout, ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    with pytest.raises(ssl.SSLError) as refused:
        await talk(made, upstream, caller)
    assert alert in str(refused.value).lower().replace("_", " ")


async def test_a_server_that_is_not_trusted_is_refused(made: Certificates) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await talk(made, "fine", Caller("checkout", "", made.checkout, trust=made.stranger))
