"""Who called whom, by the best name that a line and its log give: identity, else workload, else address.

The log's own fields (a path's, or the labels of a stream in Loki) say which workload wrote the line. Values of the line
are passed on unchanged: a peer may have chosen them.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple

from shipper.pipeline.failure import DOWNSTREAM
from shipper.pipeline.record import Record, source_ip, text, without_port
from shipper.pod_names import app_of
from shipper.reading.holders import peer_address

NameKind = Literal["identity", "workload", "service", "address", "unknown"]
IDENTITY: Final = "identity"
WORKLOAD: Final = "workload"
SERVICE: Final = "service"
ADDRESS: Final = "address"
UNKNOWN: Final = "unknown"
ZTUNNEL: Final = "ztunnel"  # the app of a log that tells of other workloads

Fields = Mapping[str, str]
"""Of a log: namespace, app, pod, node; of a stream in Loki also peer_namespace, peer_app, peer_pod and peer_node."""

_HOST: Final = re.compile(r"outbound\|\d+\|[^|]*\|([^|;]+);?")


class Names(NamedTuple):
    """What is known of one end of a connection; empty for what is not."""

    identity: str = ""  # of a certificate: as claimed, where that was refused
    workload: str = ""  # `<namespace>/<app>`
    other: tuple[NameKind, str] = (UNKNOWN, "")  # kind and name of what is left: a service, or an address


class Ends(NamedTuple):
    """Both ends of a connection; `client` is who connected."""

    client: Names
    server: Names
    peer_address: str  # of the end that did not write the line, without the port
    own_pod: str = ""  # that the line itself names as the end that it speaks for, or its address; empty: the log's pod


def ends_of(record: Record, side: str, fields: Fields) -> Ends:
    """Both ends of the connection that this line tells of."""
    (own, own_pod), peer = _own(record, side, fields), _workload(fields, "peer_")
    address = peer_address(record, side)
    if side == DOWNSTREAM:
        client = Names(text(record, "downstream_peer_uri_san"), peer, _address(address))
        here = _service(text(record, "requested_server_name")) or _address(_local(record))
        return Ends(client, Names(text(record, "downstream_local_uri_san"), own, here), address, own_pod)
    there = _service(_called(record)) or _address(address)
    server = Names(text(record, "upstream_peer_uri_san"), peer, there)
    client = Names(_own_identity(record), own, _address(source_ip(record)))
    return Ends(client, server, address, own_pod)


def network_of(address: str) -> str:
    """The /24 of an IPv4 address, the /64 of another: the pods of one node usually share it. Empty for no address."""
    if address.count(".") == 3 and ":" not in address:
        return f"{address.rpartition('.')[0]}.0/24"
    try:
        groups = ip_address(address).exploded.split(":")
    except ValueError:
        return ""
    return f"{':'.join(group.lstrip('0') or '0' for group in groups[:4])}::/64"


def _own(record: Record, side: str, fields: Fields) -> tuple[str, str]:
    """Workload and pod of the proxy that wrote the line. A ztunnel speaks for the pods of its node, and names the one;
    of a failed handshake its address alone, of which a stream in Loki tells whose it is."""
    if "direction" not in record:
        return _workload(fields, ""), ""
    own = "dst" if side == DOWNSTREAM else "src"
    pod, namespace = text(record, f"{own}.workload"), text(record, f"{own}.namespace")
    if pod and namespace:
        return f"{namespace}/{app_of(pod)}", f"{namespace}/{pod}"
    if fields.get("app", ZTUNNEL) != ZTUNNEL:
        return _workload(fields, ""), f"{fields.get('namespace', '')}/{fields.get('pod', '')}"
    return "", without_port(text(record, "downstream_local_address")) if side == DOWNSTREAM else source_ip(record)


def _workload(fields: Fields, prefix: str) -> str:
    app, namespace = fields.get(f"{prefix}app", ""), fields.get(f"{prefix}namespace", "")
    return f"{namespace}/{app}" if app and namespace else app


def _own_identity(record: Record) -> str:
    """Ztunnel writes the identity of the client that it serves; a sidecar's line has none of its own here."""
    return text(record, "downstream_local_uri_san") if "direction" in record else ""


def _called(record: Record) -> str:
    """The service that a client's proxy called."""
    found = _HOST.fullmatch(text(record, "upstream_cluster"))
    return found[1] if found else text(record, "authority") or text(record, "requested_server_name")


def _local(record: Record) -> str:
    return text(record, "downstream_local_address")


def _service(name: str) -> tuple[NameKind, str] | None:
    """`outbound_.8080_._.web.shop.svc.cluster.local`, as Istio writes it into an SNI, without what stands before."""
    return (SERVICE, name.rpartition("_._.")[2] or name) if name else None


def _address(address: str) -> tuple[NameKind, str]:
    return (ADDRESS, address) if address else (UNKNOWN, "")
