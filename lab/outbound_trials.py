"""Whom this side calls: over HTTP and over TCP, one upstream for each way to fail."""

from lab import istio_logs
from lab.certificates import Certificates
from lab.clients import Caller
from lab.envoy_config import CLOSED, own, undelivered
from lab.envoy_json import Json, cluster
from lab.envoyfilter import SHORT
from lab.outbound_config import cluster_name, host, http_listener, mutual_tls, outbound, tcp_listener
from lab.trial import Connect, Trial, request

SILENT = "0.1s"  # how long an upstream that never answers is waited for; less than a request may take

UNSAID = "cert_verify_failed"  # before Envoy 1.37 nothing tells an upstream's certificates apart

# upstream: what is shipped, and what the oldest Envoy's line can tell
OUTCOMES = {
    "fine": ("", ""),
    "expired": ("cert_expired", UNSAID),
    "not-yet-valid": ("cert_not_yet_valid", UNSAID),
    "untrusted": ("cert_untrusted", UNSAID),
    "self-signed": ("cert_untrusted", UNSAID),
    "wrong-san": ("cert_san_mismatch", UNSAID),
    "plaintext": ("plaintext", ""),
    "tls-1.1": ("tls_version_mismatch", ""),
    "other-cipher": ("cipher_mismatch", ""),
    "distrusts-us": ("peer_rejected_cert", ""),
    "distrusts-us-late": ("", ""),  # TLS 1.3: only the server knows
    "no-secret": ("local_cert_missing", ""),
    "silent": ("", ""),
    "refused": ("", ""),  # no handshake was begun
}


def clusters(certificates: Certificates, ports: dict[str, int]) -> list[Json]:
    """One for each upstream; `ports` are those of the servers."""
    closed = {"refused": CLOSED, "no-secret": ports["fine"]}
    return [_cluster(name, port, certificates) for name, port in (ports | closed).items()]


def _cluster(name: str, port: int, certificates: Certificates) -> Json:
    certificate = undelivered() if name == "no-secret" else own(certificates.checkout)
    more = {"connect_timeout": SILENT} if name == "silent" else {}
    socket = mutual_tls(certificates, certificate)
    return cluster(cluster_name(name), port, transport_socket=socket, **more)


def listeners() -> list[Json]:
    """All that the trials connect to."""
    kept = istio_logs.request_log(istio_logs.telemetry_expression())
    return [
        outbound(http_listener("out http", OUTCOMES)),
        *(outbound(tcp_listener(f"out tcp {name}", name)) for name in OUTCOMES),
        outbound(http_listener("out http short", OUTCOMES), SHORT.read_text()),
        *(outbound(tcp_listener(f"out tcp short {name}", name), SHORT.read_text()) for name in OUTCOMES),
        http_listener("out http telemetry", OUTCOMES, [kept]),
        tcp_listener("out tcp telemetry", "expired", [kept]),
    ]


def trials() -> list[Trial]:
    """All of them."""
    return [*_over("http"), *_over("tcp"), *_over("http short"), *_over("tcp short"), *_slow(), *_telemetry()]


def _over(chain: str) -> list[Trial]:
    def listener(upstream: str) -> str:
        return f"out {chain} {upstream}" if chain.startswith("tcp") else f"out {chain}"

    return [
        Trial(f"out, {chain}: {name}", listener(name), _to(name), reason, "upstream", on_oldest)
        for name, (reason, on_oldest) in OUTCOMES.items()
    ]


def _slow() -> list[Trial]:
    return [
        Trial(f"out, {chain}: too slow", f"out {chain}", _to("fine", "/slow"), "upstream_timeout", "upstream")
        for chain in ("http", "http short")
    ]


def _telemetry() -> list[Trial]:
    """Without the EnvoyFilter: what goes out is seen all the same."""

    def trial(name: str, listener: str, connect: Connect, reason: str = "", on_oldest: str = "") -> Trial:
        return Trial(f"out, {name}", listener, connect, reason, "upstream", on_oldest)

    via_http, via_tcp = "out http telemetry", "out tcp telemetry"
    return [
        trial("http, Telemetry alone: expired", via_http, _to("expired"), "cert_expired", UNSAID),
        trial("tcp, Telemetry alone: expired", via_tcp, _to("expired"), "cert_expired", UNSAID),
        trial("http, Telemetry alone: too slow", via_http, _to("fine", "/slow"), "upstream_timeout"),
        trial("http, Telemetry alone: healthy", via_http, _to("fine")),
    ]


def _to(upstream: str, path: str = "/") -> Connect:
    return request(lambda _: Caller("checkout", "", tls=False, path=path, host=host(upstream)))
