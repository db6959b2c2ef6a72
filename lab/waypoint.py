"""A waypoint, as istiod builds it: three listeners, the first of which alone speaks TLS.

    client ─ mTLS, CONNECT ─► connect_terminate ─► main_internal ─► connect_originate ─ mTLS, CONNECT ─► ztunnel

Plain data. Where a tunnel goes is its CONNECT's authority, and a port that is no service's finds no chain on
main_internal. Facts: istiod's listener_waypoint.go and its clusters, 2026-08. The HTTP and policy filters of
main_internal are left out, and tunnels are of HTTP/1.1, which the lab's servers speak; Istio's are of HTTP/2.
"""

from collections.abc import Iterable
from typing import Final

from lab.certificates import Certificates
from lab.envoy_config import connection_manager, mutual_tls, own, tcp
from lab.envoy_json import API, Json, bootstrap, loopback, typed
from lab.envoyfilter import WAYPOINT, patched
from lab.outbound_config import mutual_tls as to_upstream

TERMINATE, MAIN, ORIGINATE = "connect_terminate", "main_internal", "connect_originate"

_HURRY: Final = "0.02s"  # how long a tunnel that has failed stays open, for the client to close it; else 1 s

_ENCAP: Final = "encap"  # the cluster that leads from main_internal to connect_originate
_LOCAL_IP: Final = "envoy.filters.listener.original_dst.local_ip"  # where a tunnel's destination is kept
_FILTER_STATE: Final = "type.googleapis.com/envoy.extensions.filters"
_INTERNAL: Final = "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener"


def waypoint(certificates: Certificates, services: Iterable[int]) -> Json:
    """The whole configuration, patched as deploy/mesh/waypoint.yaml says; `services` are the ports that lead on."""
    listeners = [_terminate(certificates), _main(services), _originate()]
    filtered = [patched(one, "SIDECAR_INBOUND", WAYPOINT.read_text()) for one in listeners]
    clusters = [_internal(MAIN, MAIN), _internal(_ENCAP, ORIGINATE), _tunnel(certificates)]
    extension = typed("envoy.bootstrap.internal_listener", _INTERNAL)
    return bootstrap("waypoint.shop", filtered, clusters) | {"bootstrap_extensions": [extension]}


def _terminate(certificates: Certificates) -> Json:
    """Takes the tunnels of clients: no listener filter, and one chain."""
    connect = {"upgrade_type": "CONNECT"}
    route = {"cluster": MAIN, "upgrade_configs": [connect | {"connect_config": {}}]}
    hosts = [{"name": "default", "domains": ["*"], "routes": [{"match": {"connect_matcher": {}}, "route": route}]}]
    manager = connection_manager(hosts)
    keep = typed(
        "connect_authority",
        f"{_FILTER_STATE}.http.set_filter_state.v3.Config",
        on_request_headers=[_destination("%REQ(:AUTHORITY)%")],
    )
    manager["typed_config"]["http_filters"].insert(0, keep)
    manager["typed_config"] |= {"upgrade_configs": [connect], "delayed_close_timeout": _HURRY}
    tls = mutual_tls(certificates.root, own(certificates.payment))
    chain = {"name": "default", "transport_socket": tls, "filters": [manager]}
    return {"name": TERMINATE, "address": loopback(0), "filter_chains": [chain]}


def _main(services: Iterable[int]) -> Json:
    """Sends each tunnel on by its destination; what is for none finds no chain, and that is flag NR."""
    keep = typed(
        "connect_authority",
        f"{_FILTER_STATE}.network.set_filter_state.v3.Config",
        on_new_connection=[_destination(f"%FILTER_STATE({_LOCAL_IP}:PLAIN)%")],
    )
    chains = [
        {
            "name": f"inbound-vip|{port}",
            "filter_chain_match": {"destination_port": port},
            "filters": [keep, tcp(_ENCAP)],
        }
        for port in services
    ]
    return {"name": MAIN, "filter_chains": chains, **_behind()}


def _originate() -> Json:
    """Opens a tunnel of its own to the destination's ztunnel."""
    proxy = tcp(ORIGINATE)
    proxy["typed_config"]["tunneling_config"] = {"hostname": "%DOWNSTREAM_LOCAL_ADDRESS%"}
    return {"name": ORIGINATE, "filter_chains": [{"filters": [proxy]}], **_behind()}


def _behind() -> Json:
    """What an internal listener has: the destination is what was kept."""
    original = f"{_FILTER_STATE}.listener.original_dst.v3.OriginalDst"
    return {
        "internal_listener": {},
        "listener_filters": [typed("envoy.filters.listener.original_dst", original)],
    }


def _destination(value: str) -> Json:
    source = {"text_format_source": {"inline_string": value}}
    return {"object_key": _LOCAL_IP, "format_string": source, "shared_with_upstream": "ONCE"}


def _internal(name: str, listener: str) -> Json:
    """A cluster that is a listener of this Envoy."""
    address = {"envoy_internal_address": {"server_listener_name": listener}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    kind = f"{API}.transport_sockets.internal_upstream.v3.InternalUpstreamTransport"
    plain = typed(
        "envoy.transport_sockets.raw_buffer",
        f"{API}.transport_sockets.raw_buffer.v3.RawBuffer",
    )
    return {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        "transport_socket": typed("envoy.transport_sockets.internal_upstream", kind, transport_socket=plain),
    }


def _tunnel(certificates: Certificates) -> Json:
    return {
        "name": ORIGINATE,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": "5s",
        "transport_socket": to_upstream(certificates, own(certificates.checkout)),
    }
