"""Callers of payment-service: those that do it right, and those whose handshake fails, each in its own way.

Real sockets, real TLS. A caller knows what the mesh will make of it, so that the log can be held against it.
"""

import asyncio
import socket
import ssl
import warnings
from dataclasses import dataclass
from pathlib import Path

from lab.certificates import Certificates, Identity

HOST = "payment-service.shop.svc.cluster.local"
SERVER_NAME = f"outbound_.8080_._.{HOST}"  # what an Istio client's sidecar says


@dataclass(frozen=True, slots=True)
class Caller:
    """A client, and the failure that its call must lead to."""

    name: str
    what: str  # for a person: what is wrong, if anything
    identity: Identity | None = None  # the certificate it shows
    tls: bool = True
    path: str = "/"
    host: str = HOST  # whom it asks for
    trust: Path | None = None  # the root it holds the server against, if not the mesh's
    version: ssl.TLSVersion | None = None  # the only one it speaks
    ciphers: str = ""  # the only ones it speaks, of TLS 1.2
    reason: str = ""  # what Envoy's failure reason contains; empty: the handshake is fine
    failure: str = ""  # the same as the agent names it: failure_reason
    side: str = "downstream"  # and side
    ip: str = "127.0.0.1"  # where it calls from: any address of the loopback network


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the caller saw: an HTTP status, or 0 and why there was none."""

    address: str  # the caller's own, which the log calls downstream_remote_address
    status: int
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the handshake did, as far as the caller can see: its own, or its sidecar's with the upstream."""
        return self.status in (0, 503)


def failing(certificates: Certificates) -> list[Caller]:
    """One caller for each way to fail in the handshake."""
    return [
        Caller(
            *("legacy-client", "plaintext HTTP, from outside the mesh"),
            tls=False,
            reason="HTTP_REQUEST",
            failure="plaintext",
        ),
        Caller(
            *("scanner", "TLS, but no client certificate"),
            reason="PEER_DID_NOT_RETURN_A_CERTIFICATE",
            failure="no_client_cert",
        ),
        Caller(
            *("reporting", "certificate expired yesterday"),
            certificates.expired,
            reason="certificate_has_expired",
            failure="cert_expired",
        ),
        Caller(
            *("checkout-canary", "certificate valid from tomorrow"),
            certificates.not_yet_valid,
            reason="certificate_is_not_yet_valid",
            failure="cert_not_yet_valid",
        ),
        Caller(
            *("orders", "certificate of an unknown authority"),
            certificates.untrusted,
            reason="unable_to_get_local_issuer_certificate",
            failure="cert_untrusted",
        ),
        Caller(
            *("invoices", "certificate of another trust domain"),
            certificates.other_domain,
            reason="SAN_matcher",
            failure="cert_san_mismatch",
        ),
    ]


def failing_at_storefront() -> list[Caller]:
    """Who comes in to storefront, and fails."""
    return [
        Caller(
            *("legacy-client", "plaintext HTTP, to a pod with Istio's own log"),
            tls=False,
            reason="filter_chain_not_found",
            failure="plaintext",
        )
    ]


def from_storefront(good: str, expired: str) -> list[Caller]:
    """Its own calls, in plaintext to its sidecar, to these two hosts: one is answered, and one fails."""
    return [
        Caller(*("storefront", "calls an upstream that is as it should be"), tls=False, host=good),
        Caller(
            *("storefront", "calls an upstream whose certificate expired"),
            tls=False,
            host=expired,
            reason="certificate_has_expired",
            failure="cert_expired",
            side="upstream",
        ),
    ]


def healthy(certificates: Certificates) -> Caller:
    """A caller whose requests are answered."""
    return Caller("checkout", "as it should be", certificates.checkout)


def impatient(certificates: Certificates) -> Caller:
    """A caller whose handshake is fine, and whose request takes longer than the route allows: 504, flag UT."""
    return Caller("checkout", "the application is too slow", certificates.checkout, path="/slow")


async def call(caller: Caller, port: int, root: Path) -> Outcome:
    """One request over a connection of its own; the server is held against `root`."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.bind((caller.ip, 0))
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    address = "{}:{}".format(*connection.getsockname())
    context = client_context(caller, root) if caller.tls else None
    try:
        reader, writer = await asyncio.open_connection(
            sock=connection, ssl=context, server_hostname=SERVER_NAME if context else None
        )
    except OSError as error:
        return Outcome(address, 0, _words(error))
    try:
        writer.write(_request(caller))
        return _outcome(address, await reader.readline())
    except OSError as error:  # TLS 1.3: a refusal comes after the client's side of the handshake is done
        return Outcome(address, 0, _words(error))
    finally:
        writer.transport.abort()


def client_context(caller: Caller, root: Path) -> ssl.SSLContext:
    """The caller's side of TLS."""
    context = ssl.create_default_context(cafile=caller.trust or root)
    context.check_hostname = False  # the server is known by its SPIFFE name, which is no host name
    if caller.identity:
        context.load_cert_chain(caller.identity.certificate, caller.identity.key)
    narrow(context, caller.version, caller.ciphers)
    return context


def narrow(context: ssl.SSLContext, version: ssl.TLSVersion | None, ciphers: str) -> None:
    """Speak this version of TLS alone, and these ciphers of TLS 1.2 and before; empty ones change nothing."""
    if version:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # TLS 1.1 is what some are still about to meet
            context.minimum_version = context.maximum_version = version
    if version is ssl.TLSVersion.TLSv1_1:
        ciphers = "ALL:@SECLEVEL=0"  # OpenSSL allows it no more at its usual level
    if ciphers:
        context.set_ciphers(ciphers)


def _request(caller: Caller) -> bytes:
    lines = [
        *(f"GET {caller.path} HTTP/1.1", f"Host: {caller.host}:8080"),
        *(f"User-Agent: {caller.name}/1.0", "Connection: close", "", ""),
    ]
    return "\r\n".join(lines).encode()


def _outcome(address: str, status_line: bytes) -> Outcome:
    words = status_line.split()
    return Outcome(address, int(words[1])) if len(words) > 1 else Outcome(address, 0, "connection closed")


def _words(error: OSError) -> str:
    reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return str(reason or error).lower().replace("_", " ")
