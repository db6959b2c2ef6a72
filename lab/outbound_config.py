"""A sidecar's outbound side: listeners that route to clusters, each with mTLS to one upstream.

Plain data. The log of failures comes from the EnvoyFilter in deploy/mesh.
"""

from collections.abc import Iterable

from lab.certificates import PAYMENT, Certificates
from lab.envoy_config import connection_manager, listener, tcp, tls_params, virtual_host
from lab.envoy_json import API, Json, file, typed
from lab.envoyfilter import patched

DOMAIN = "upstream.svc.cluster.local"


def host(upstream: str) -> str:
    """The host that stands for an upstream."""
    return f"{upstream}.{DOMAIN}"


def http_listener(name: str, upstreams: Iterable[str], access_log: Iterable[Json] = ()) -> Json:
    """One HTTP listener for all of them: each is a host."""
    hosts = [virtual_host(f"{host(upstream)}:8080", cluster_name(upstream)) for upstream in upstreams]
    return _listener(name, connection_manager(hosts, access_log))


def tcp_listener(name: str, upstream: str, access_log: Iterable[Json] = ()) -> Json:
    """A TCP listener for one of them."""
    return _listener(name, tcp(cluster_name(upstream), access_log))


def outbound(one: Json, text: str | None = None) -> Json:
    """The listener, patched as the EnvoyFilter says; `text` is another form of it."""
    return patched(one, "SIDECAR_OUTBOUND", text)


def cluster_name(upstream: str) -> str:
    """As Istio names them."""
    return f"outbound|8080||{host(upstream)}"


def mutual_tls(certificates: Certificates, certificate: Json) -> Json:
    """The client side of mTLS: the server must be payment-service, and of the mesh's root."""
    name = {"san_type": "URI", "matcher": {"exact": PAYMENT}}
    common = {
        "tls_params": tls_params(),
        **certificate,
        "validation_context": {"trusted_ca": file(certificates.root), "match_typed_subject_alt_names": [name]},
    }
    kind = f"{API}.transport_sockets.tls.v3.UpstreamTlsContext"
    return typed("envoy.transport_sockets.tls", kind, common_tls_context=common, sni=host("payment-service"))


def _listener(name: str, network_filter: Json) -> Json:
    return listener(name, [{"name": "default", "filters": [network_filter]}])
