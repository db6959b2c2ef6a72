"""What is checked of a server's certificate, on every Python."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
import trustme

from shipper.tls import client_context
from tests.plain_ca import PlainCa, check_as_python_3_13_does

PAST = datetime.datetime(2021, 1, 1)  # noqa: DTZ001


async def greet(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "loki.example") -> None:
    """A handshake. Raises what the client says of the certificate."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=server) as listener:
        host, port = listener.sockets[0].getsockname()
        _, writer = await asyncio.open_connection(host, port, ssl=client, server_hostname=name)
        writer.close()


async def test_an_authority_without_key_usage_and_key_identifiers_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_as_python_3_13_does(monkeypatch)
    ca = PlainCa(tmp_path)
    strict = ssl.create_default_context(cafile=ca.ca_file)
    with pytest.raises(ssl.SSLCertVerificationError):  # so that the test can fail
        await greet(ca.server("loki.example"), strict)
    context = client_context(ca.ca_file)
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    await greet(ca.server("loki.example"), context)


@pytest.mark.parametrize(
    ("trusted", "name", "until", "said"),
    [
        (False, "loki.example", None, "unable to get local issuer"),
        (True, "else.example", None, "not valid for 'else.example'"),
        (True, "loki.example", PAST, "has expired"),
    ],
)
async def test_chain_name_and_expiry_are_checked(
    tmp_path: Path, trusted: bool, name: str, until: datetime.datetime | None, said: str
) -> None:
    ca = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("loki.example", not_before=until and until - datetime.timedelta(365), not_after=until).configure_cert(
        server
    )
    (tmp_path / "ca.pem").write_bytes((ca if trusted else trustme.CA()).cert_pem.bytes())
    with pytest.raises(ssl.SSLCertVerificationError, match=said):
        await greet(server, client_context(tmp_path / "ca.pem"), name)
