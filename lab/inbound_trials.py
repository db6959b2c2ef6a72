"""Who comes in: through the HTTP chain and through the TCP chain of a STRICT port, and past some odder listeners."""

import ssl
from collections.abc import Awaitable, Callable

from lab import istio_logs, raw_clients
from lab.certificates import Certificates, Identity
from lab.clients import Caller, client_context
from lab.envoy_config import (
    APPLICATION,
    http,
    inbound,
    listener,
    mutual_tls,
    own,
    permissive,
    strict,
    tcp,
    undelivered,
)
from lab.envoy_json import Json
from lab.envoyfilter import patched, with_gateways
from lab.trial import Connect, Trial, request

STALLED = "0.3s"  # how long the one listener with a handshake timeout waits

UNSAID = "cert_verify_failed"  # what is left of most reasons before Envoy 1.37


def listeners(certificates: Certificates) -> list[Json]:
    """All that the trials connect to."""
    tls = mutual_tls(certificates.root, own(certificates.payment))
    bare = mutual_tls(certificates.root, undelivered())
    stalling = strict(tcp(APPLICATION), tls, transport_socket_connect_timeout=STALLED)
    istio, telemetry = istio_logs.request_log(), istio_logs.telemetry_expression()
    theirs, filtered = istio_logs.listener_log(), istio_logs.listener_log(telemetry)
    kept = istio_logs.request_log(telemetry)
    return [
        inbound("http", [strict(http(APPLICATION), tls)]),
        inbound("tcp", [strict(tcp(APPLICATION), tls)]),
        inbound("http no-secret", [strict(http(APPLICATION), bare)]),
        inbound("tcp no-secret", [strict(tcp(APPLICATION), bare)]),
        inbound("tcp stalling", [stalling]),
        inbound("http permissive", permissive(http(APPLICATION), tls)),
        inbound("http logged", [strict(http(APPLICATION, [istio]), tls)], [theirs]),
        inbound("tcp logged", [strict(tcp(APPLICATION, [istio]), tls)], [theirs]),
        patched(listener("http gateway", [strict(http(APPLICATION), tls)]), "GATEWAY", with_gateways()),
        listener("http telemetry", [strict(http(APPLICATION, [kept]), tls)], [filtered]),
        listener("tcp telemetry", [strict(tcp(APPLICATION, [kept]), tls)], [filtered]),
    ]


def trials() -> list[Trial]:
    """All of them."""
    return [*_on_both_chains("http"), *_on_both_chains("tcp"), *_odd(), *_beside_istios_logs(), *_telemetry()]


def _on_both_chains(chain: str) -> list[Trial]:
    def trial(name: str, connect: Connect, reason: str = "", on_oldest: str = "") -> Trial:
        return Trial(f"{chain}: {name}", chain, connect, reason, on_oldest=on_oldest)

    return [
        trial("healthy", _shows(lambda made: made.checkout)),
        trial("healthy through an intermediate", _shows(lambda made: made.chained)),
        trial("healthy on TLS 1.2", _speaks(ssl.TLSVersion.TLSv1_2)),
        trial("expired", _shows(lambda made: made.expired), "cert_expired"),
        trial("expired on TLS 1.2", _shows(lambda made: made.expired, ssl.TLSVersion.TLSv1_2), "cert_expired"),
        trial("not yet valid", _shows(lambda made: made.not_yet_valid), "cert_not_yet_valid"),
        trial("another root", _shows(lambda made: made.untrusted), "cert_untrusted", UNSAID),
        trial(
            "another root, expired", _shows(lambda made: made.untrusted_and_expired), "cert_untrusted", "cert_expired"
        ),
        trial("self-signed", _shows(lambda made: made.self_signed), "cert_untrusted", UNSAID),
        trial("intermediate missing", _shows(lambda made: made.intermediate_missing), "cert_untrusted", UNSAID),
        trial("intermediate expired", _shows(lambda made: made.intermediate_expired), "cert_expired", UNSAID),
        trial("another trust domain", _shows(lambda made: made.other_domain), "cert_san_mismatch", UNSAID),
        trial("not for clients", _shows(lambda made: made.server_only), "cert_invalid", UNSAID),
        trial("no certificate", request(lambda _: Caller("scanner", "")), "no_client_cert"),
        trial("TLS 1.1", _speaks(ssl.TLSVersion.TLSv1_1), "tls_version_mismatch"),
        trial("no common cipher", _speaks(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-CHACHA20-POLY1305"), "cipher_mismatch"),
        trial("plaintext HTTP", request(lambda _: Caller("legacy-client", "", tls=False)), "plaintext"),
        trial("plaintext bytes", _raw(raw_clients.send_plain_bytes), "plaintext"),
        # An orderly close leaves no reason, so there is nothing to tell it from a healthy connection by.
        trial("closes in mid handshake", _raw(raw_clients.give_up)),
        trial("resets in mid handshake", _raw(raw_clients.reset), "handshake_incomplete"),
        trial("refuses us on TLS 1.2", _distrusts(ssl.TLSVersion.TLSv1_2), "peer_rejected_cert"),
        # The alert of an OpenSSL client comes before the keys it should be read with.
        trial("refuses us on TLS 1.3", _distrusts(ssl.TLSVersion.TLSv1_3), "tls_protocol_error"),
        trial("a port scan", _raw(raw_clients.probe)),
        trial("half a ClientHello", _raw(raw_clients.give_up_early)),
    ]


def _odd() -> list[Trial]:
    good, slow = _shows(lambda made: made.checkout), _shows(lambda made: made.checkout, path="/slow")
    plain = request(lambda _: Caller("legacy-client", "", tls=False))
    return [
        Trial("http: own secret missing", "http no-secret", good, "local_cert_missing"),
        Trial("tcp: own secret missing", "tcp no-secret", good, "local_cert_missing"),
        Trial("tcp: stalls", "tcp stalling", _raw(raw_clients.stall), "handshake_incomplete"),
        Trial("permissive: TLS that is not the mesh's", "http permissive", good, "no_filter_chain"),
        Trial("permissive: plaintext", "http permissive", plain),
        Trial("gateway: expired", "http gateway", _shows(lambda made: made.expired), "cert_expired"),
        Trial("gateway: too slow", "http gateway", slow, "upstream_timeout", "upstream"),
        # A sidecar's inbound requests have no time limit in Istio; the caller's sidecar logs the timeout.
        Trial("http: the application is too slow", "http", slow),
    ]


def _beside_istios_logs() -> list[Trial]:
    """Where Istio logs as well, its lines stay: MERGE appends."""
    expired, plain = _shows(lambda made: made.expired), request(lambda _: Caller("legacy-client", "", tls=False))
    healthy = _shows(lambda made: made.checkout)
    return [
        Trial("http, logged twice: plaintext", "http logged", plain, "plaintext", lines=2),
        Trial("tcp, logged twice: plaintext", "tcp logged", plain, "plaintext", lines=2),
        Trial("http, logged twice: expired", "http logged", expired, "cert_expired", lines=1),
        Trial("tcp, logged twice: expired", "tcp logged", expired, "cert_expired", lines=2),
        Trial("http, logged twice: healthy", "http logged", healthy, lines=1),
    ]


def _telemetry() -> list[Trial]:
    """Without the EnvoyFilter: plaintext is seen, a refused certificate is not."""
    expired, plain = _shows(lambda made: made.expired), request(lambda _: Caller("legacy-client", "", tls=False))
    healthy = _shows(lambda made: made.checkout)
    return [
        trial
        for chain in ("http", "tcp")
        for trial in (
            Trial(f"{chain}, Telemetry alone: plaintext", f"{chain} telemetry", plain, "plaintext"),
            Trial(f"{chain}, Telemetry alone: expired", f"{chain} telemetry", expired),
            Trial(f"{chain}, Telemetry alone: healthy", f"{chain} telemetry", healthy),
        )
    ]


def _shows(
    which: Callable[[Certificates], Identity], version: ssl.TLSVersion | None = None, path: str = "/"
) -> Connect:
    return request(lambda made: Caller("checkout", "", which(made), version=version, path=path))


def _speaks(version: ssl.TLSVersion, ciphers: str = "") -> Connect:
    return request(lambda made: Caller("checkout", "", made.checkout, version=version, ciphers=ciphers))


def _distrusts(version: ssl.TLSVersion) -> Connect:
    async def connect(made: Certificates, port: int) -> str:
        caller = Caller("checkout", "", made.checkout, trust=made.stranger, version=version)
        return await raw_clients.refuse(port, client_context(caller, made.root))

    return connect


def _raw(client: Callable[[int], Awaitable[str]]) -> Connect:
    return lambda _, port: client(port)
