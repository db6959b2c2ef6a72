"""A sidecar's inbound side, as Istio builds it: listeners whose chains demand mTLS, and the application behind.

Plain data, made from paths and ports. The log of failed handshakes comes from the EnvoyFilter in deploy/mesh; the demo
logs every request besides, with the same fields.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from lab.certificates import TRUST_DOMAIN, Certificates, Identity
from lab.envoy_json import API, Json, bootstrap, cluster, file, json_log, loopback, typed
from lab.envoyfilter import fields, patched

UPSTREAM_TIMEOUT: Final = 0.3  # seconds; the application's slow path takes longer
PATIENCE: Final = 10.0  # seconds for any other
APPLICATION: Final = "inbound|8080||"  # the cluster of the application behind the sidecar

SDS: Final = "sds-grpc"  # the cluster secrets come from
CLOSED: Final = 1  # a port nobody listens on

_CIPHERS: Final = [
    f"ECDHE-{key}-{cipher}" for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256") for key in ("ECDSA", "RSA")
]
_REQUEST: Final = {
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "authority": "%REQ(:AUTHORITY)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}


def sidecar(certificates: Certificates, app_port: int) -> Json:
    """The demo's whole bootstrap: one STRICT HTTP port whose requests are all logged."""
    tls = mutual_tls(certificates.root, own(certificates.payment))
    listener = inbound("virtualInbound", [strict(http(APPLICATION, [request_log()]), tls)])
    return bootstrap("payment-service.shop", [listener], [cluster(APPLICATION, app_port)])


def inbound(name: str, chains: list[Json], access_log: Iterable[Json] = ()) -> Json:
    """An inbound listener on a free port, patched as the EnvoyFilter says; `access_log` is what was there before."""
    return patched(listener(name, chains, access_log), "SIDECAR_INBOUND")


def listener(name: str, chains: list[Json], access_log: Iterable[Json] = ()) -> Json:
    """A listener on a free port that tells TLS from plaintext before it chooses a chain."""
    inspector = f"{API}.filters.listener.tls_inspector.v3.TlsInspector"
    return {
        "name": name,
        "address": loopback(0),
        "listener_filters": [typed("envoy.filters.listener.tls_inspector", inspector)],
        "access_log": list(access_log),
        "filter_chains": chains,
    }


def strict(network_filter: Json, tls: Json, **more: Any) -> Json:
    """The chain of a STRICT port: plaintext finds none, and that is flag NR."""
    return {
        "name": "0.0.0.0_8080",
        "filter_chain_match": {"transport_protocol": "tls"},
        "transport_socket": tls,
        "filters": [network_filter],
        **more,
    }


def permissive(network_filter: Json, tls: Json) -> list[Json]:
    """The chains of a PERMISSIVE port: plaintext is served, and TLS only with a mesh ALPN."""
    match = {"transport_protocol": "tls", "application_protocols": ["istio", "istio-peer-exchange"]}
    plaintext = {
        "name": "0.0.0.0_8080_plaintext",
        "filter_chain_match": {"transport_protocol": "raw_buffer"},
        "filters": [network_filter],
    }
    return [strict(network_filter, tls, filter_chain_match=match), plaintext]


def own(identity: Identity) -> Json:
    """A certificate from files."""
    chain = {"certificate_chain": file(identity.certificate), "private_key": file(identity.key)}
    return {"tls_certificates": [chain]}


def undelivered() -> Json:
    """A certificate that SDS never delivers: nobody answers at SDS, a cluster of this name."""
    service = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "grpc_services": [{"envoy_grpc": {"cluster_name": SDS}}],
    }
    source = {"api_config_source": service, "resource_api_version": "V3", "initial_fetch_timeout": "0.05s"}
    return {"tls_certificate_sds_secret_configs": [{"name": "default", "sds_config": source}]}


def dead_sds() -> Json:
    """The cluster that `undelivered` asks in vain: its port is closed."""
    kind = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    http2 = {"@type": kind, "explicit_http_config": {"http2_protocol_options": {}}}
    name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return cluster(SDS, CLOSED, typed_extension_protocol_options={name: http2})


def mutual_tls(root: Path, certificate: Json) -> Json:
    """The server side of mTLS: a client certificate of this root and of the mesh's trust domain, or no connection."""
    domain = {"san_type": "URI", "matcher": {"prefix": f"spiffe://{TRUST_DOMAIN}/"}}
    common = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": tls_params(),
        **certificate,
        "validation_context": {"trusted_ca": file(root), "match_typed_subject_alt_names": [domain]},
    }
    kind = f"{API}.transport_sockets.tls.v3.DownstreamTlsContext"
    return typed("envoy.transport_sockets.tls", kind, require_client_certificate=True, common_tls_context=common)


def tls_params() -> Json:
    """Versions and ciphers, as Istio sets them."""
    return {
        "tls_minimum_protocol_version": "TLSv1_2",
        "tls_maximum_protocol_version": "TLSv1_3",
        "cipher_suites": _CIPHERS,
    }


def http(to: str, access_log: Iterable[Json] = ()) -> Json:
    """A connection manager that sends every request to one cluster."""
    return connection_manager([virtual_host("*", to)], access_log)


def connection_manager(hosts: list[Json], access_log: Iterable[Json] = ()) -> Json:
    """A connection manager that routes by host."""
    router = typed("envoy.filters.http.router", f"{API}.filters.http.router.v3.Router")
    return typed(
        "envoy.filters.network.http_connection_manager",
        f"{API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="http",
        access_log=list(access_log),
        http_filters=[router],
        route_config={"name": "8080", "virtual_hosts": hosts},
    )


def virtual_host(domain: str, to: str) -> Json:
    """All requests for a host to one cluster; only the slow path has too little time, however busy the machine is."""
    slow = _route("/slow", to, UPSTREAM_TIMEOUT)
    return {"name": domain, "domains": [domain], "routes": [slow, _route("/", to, PATIENCE)]}


def _route(prefix: str, to: str, timeout: float) -> Json:
    return {"name": "default", "match": {"prefix": prefix}, "route": {"cluster": to, "timeout": f"{timeout}s"}}


def tcp(to: str, access_log: Iterable[Json] = ()) -> Json:
    """A TCP proxy to one cluster."""
    kind = f"{API}.filters.network.tcp_proxy.v3.TcpProxy"
    return typed("envoy.filters.network.tcp_proxy", kind, stat_prefix="tcp", cluster=to, access_log=list(access_log))


def request_log() -> Json:
    """An access log of every request, with the fields of the failures and the request's own."""
    mine = {name: operator for name, operator in fields().items() if name != "log"}
    return json_log(mine | _REQUEST)
