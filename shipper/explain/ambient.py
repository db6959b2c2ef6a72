r"""What can be said of a line of ztunnel's: who is verified and who claims, the policy that denied, what to run next.

The commands are those of ambient mode, with the addresses and names of the line in them. A ztunnel speaks for all pods
of its node, so a certificate is looked up by the node of a pod, and the pod by its address, which every line has from
Istio 1.26 on. Syntax: istioctl's ztunnelconfig.go of 2026.

Inbound, `src.workload`, `src.namespace` and `src.cluster` are what the client says of itself where it came through a
tunnel, and what istiod knows of its address else. No command is filled with them.
"""

import re
from collections.abc import Iterator
from typing import Final

from shipper.explain.texts import OWN_SECRET
from shipper.pipeline.failure import DOWNSTREAM, Failure
from shipper.pipeline.record import Record, text, without_port

_WORKLOAD: Final = "istioctl ztunnel-config workload --address <peer-ip>"
_CERTIFICATE: Final = (
    'istioctl ztunnel-config certificate --node "$(kubectl get pods --all-namespaces '
    "--field-selector status.podIP={} --output jsonpath='{{.items[0].spec.nodeName}}')\""
)
_OWN_CERTIFICATE: Final = _CERTIFICATE.format("<ip>")
_PEER_CERTIFICATE: Final = _CERTIFICATE.format("<peer-ip>")
_BOTH_ENDS: Final = (
    "kubectl logs -n istio-system --selector app=ztunnel --prefix --since=1h --tail=-1 | grep -F '<peer-ip>:'"
)
_CA: Final = "kubectl logs -n istio-system deploy/istiod --since=1h | grep -iE 'csr|sign|authenticat'"
_POLICIES: Final = "istioctl ztunnel-config policy"
_STRICT: Final = "kubectl get peerauthentications --all-namespaces"
_CAPTURED: Final = "kubectl get namespaces --label-columns istio.io/dataplane-mode"
_ROOT: Final = "kubectl get configmap istio-ca-root-cert -n <namespace> --output yaml"
_OWN_POD: Final = "kubectl get pods --all-namespaces --output wide --field-selector status.podIP=<ip>"

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "local_cert_missing": (_OWN_CERTIFICATE, _CA, "kubectl get pods -n istio-system"),
    "cert_san_mismatch": (
        _WORKLOAD,
        _PEER_CERTIFICATE,
        "kubectl get configmap istio -n istio-system --output yaml | grep -iA3 trustDomain",
    ),
    "cert_invalid": (_PEER_CERTIFICATE, "kubectl get secret cacerts -n istio-system --output yaml"),
    "cert_expired": (_PEER_CERTIFICATE, _BOTH_ENDS, _CA),
    "cert_not_yet_valid": (_PEER_CERTIFICATE, _CA),
    "cert_untrusted": (_PEER_CERTIFICATE, _OWN_CERTIFICATE, _ROOT),
    "handshake_incomplete": (_BOTH_ENDS, "kubectl get networkpolicies --all-namespaces"),
    "no_client_cert": (_WORKLOAD, _CAPTURED),
    "tls_version_mismatch": (_WORKLOAD, _CAPTURED),
    "cipher_mismatch": (_WORKLOAD, "kubectl get daemonset ztunnel -n istio-system --output yaml"),
    "plaintext": (_WORKLOAD, _POLICIES, _STRICT, _CAPTURED),
    "peer_rejected_cert": (_OWN_CERTIFICATE, _BOTH_ENDS),
    "no_filter_chain": (_WORKLOAD, _CAPTURED),
    "tls_protocol_error": (_BOTH_ENDS, _OWN_CERTIFICATE),
}
"""By failure reason: those that ztunnel's lines can have."""

_REJECTED: Final = "connection closed due to policy rejection: "
_ORIGINATE: Final = "connect_originate"  # the cluster, and the listener, that begin tunnels
_TUNNELS: Final = ":15008"  # the port that takes them
_UNNAMED: Final = ("cert_invalid", "cert_expired", "cert_not_yet_valid", "cert_untrusted")  # not for its name
_DENIED: Final = re.compile(rf"{_REJECTED}(?:explicitly )?denied by: ([^\s/]+)/(\S+)")
_MADE_OF: Final = "converted_peer_authentication_"  # before the name of the PeerAuthentication it was made of
_MESH_STRICT: Final = "istio_converted_static_strict"  # the one for all PeerAuthentications that are STRICT throughout
_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?")  # of Kubernetes: no shell has a meaning for it


CAUSES: Final[dict[str, tuple[str, ...]]] = {
    "local_cert_missing": (
        "istiod does not let ztunnel ask in the name of the pod's service account (CA_TRUSTED_NODE_ACCOUNTS)",
    ),
    "plaintext": (
        "the client's pod is not captured: no istio.io/dataplane-mode on it or its namespace, or it is on hostNetwork",
    ),
}
"""Causes that only ambient mode has, by failure reason."""


def commands_for(record: Record, failure: Failure) -> tuple[str, ...]:
    """What to run next; names of the record are still to be filled in."""
    found = COMMANDS.get(failure.reason, ())
    if failure.side == DOWNSTREAM and text(record, "dst.addr") and not text(record, "dst.workload"):
        found = (_OWN_POD, *found)
    return tuple(dict.fromkeys((*policy_commands(record), *found)))


def commands_at_waypoint(reason: str) -> tuple[str, ...]:
    """The same for an Envoy at an end of a tunnel: the peer's certificate is a ztunnel's, its own is not."""
    found = COMMANDS.get("cert_untrusted" if reason == "cert_verify_failed" else reason, ())
    return tuple(OWN_SECRET if one == _OWN_CERTIFICATE else one for one in found)


def policy_commands(record: Record) -> tuple[str, ...]:
    """What to run about the policy that denied the connection; nothing if none did."""
    if not text(record, "error").startswith(_REJECTED):
        return ()
    namespace, _, name = denied_by(record).partition("/")
    if name == _MESH_STRICT:
        return (_STRICT, _POLICIES)
    kind = "peerauthentication" if name.startswith(_MADE_OF) else "authorizationpolicy"
    name = name.removeprefix(_MADE_OF)
    if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(name)):
        return ("kubectl get authorizationpolicies --all-namespaces", _POLICIES)
    return (f"kubectl get {kind} {name} -n {namespace} --output yaml", f"{_POLICIES} --policy-namespace {namespace}")


def names(record: Record, failure: Failure) -> dict[str, str]:
    """Values for `<ip>`, `<namespace>` and `<peer-ip>`: addresses, and the namespace of this node's own workload."""
    own, peer = ("dst", "src") if failure.side == DOWNSTREAM else ("src", "dst")
    namespace = text(record, f"{own}.namespace")
    return {
        "<ip>": without_port(text(record, f"{own}.addr")),
        "<peer-ip>": without_port(text(record, f"{peer}.addr")),
        "<namespace>": namespace if _NAME.fullmatch(namespace) else "",
    }


def denied_by(record: Record) -> str:
    """The policy that denied the connection, `namespace/name` in ztunnel's words; empty if none is named."""
    found = _DENIED.match(text(record, "error"))
    return f"{found[1]}/{found[2]}" if found else ""


def workload(record: Record, end: str) -> str | None:
    """`namespace/name` of the workload at an end, `src` or `dst`, where the line has it."""
    name = text(record, f"{end}.workload")
    return f"{text(record, f'{end}.namespace') or '?'}/{name}" if name else None


def is_tunnel(record: Record) -> bool:
    """Whether the record is of a tunnel's end in an Envoy, usually a waypoint."""
    is_inner = text(record, "upstream_cluster").removesuffix(";") == _ORIGINATE
    return is_inner or text(record, "downstream_local_address").endswith(_TUNNELS)


def is_ztunnel(record: Record) -> bool:
    """Whether the record is of a line of ztunnel's."""
    return record.get("scope") in ("access", "hyper_util")


def trust_of(record: Record) -> Iterator[str]:
    """Which names of the line were verified, and which are a claim."""
    claimed, identity = workload(record, "src"), text(record, "src.identity")
    if record.get("direction") == "outbound":
        if text(record, "dst.identity"):
            yield "The server's identity is the one that istiod expects there, not one that the server has shown."
        return
    if identity:
        yield f"The client's identity was verified in its handshake: {identity}"
    if claimed and (identity or text(record, "dst.hbone_addr")):
        yield f"The client's workload, namespace and cluster ({claimed}) can be its own claim: nobody has verified it."
    elif claimed:
        yield (
            f"The client's workload and namespace ({claimed}) are what istiod knows of its address. Nobody has "
            "verified it: take it for a claim."
        )


def limits_of(record: Record, failure: Failure) -> Iterator[str]:
    """What a line of ztunnel's cannot tell, and what would."""
    if not text(record, "src.addr"):
        yield "Who, and to whom: before Istio 1.26 ztunnel writes no address of a client that fails to come in."
        return
    if failure.side == DOWNSTREAM:
        if not text(record, "dst.workload"):
            yield "The workload it was meant for: of a failed handshake ztunnel writes two addresses and no name."
        if failure.reason in _UNNAMED and not text(record, "src.identity"):
            yield (
                "The certificate: ztunnel logs nothing of one that it has refused, unless it was for its name. The "
                "ztunnel of the client's node may have a line of its own, peer_rejected_cert, with src.identity."
            )
    if failure.reason == "peer_rejected_cert":
        yield "The peer's full reason, for an alert is one word: the ztunnel of the peer's node has it."
    if failure.reason == "handshake_incomplete":
        yield "How long it took: ztunnel sets a handshake no time, and one that stalls is written when it is given up."
    yield from _other_readings(record, failure)


def limits_of_tunnel(failure: Failure) -> Iterator[str]:
    """The same of a tunnel's end in an Envoy."""
    if failure.side != DOWNSTREAM:
        yield "Who had called: a waypoint begins the tunnel itself, so the line names no client."


def _other_readings(record: Record, failure: Failure) -> Iterator[str]:
    """What else the same words can stand for."""
    if "InvalidContentType" in text(record, "error"):
        yield "Whether it was HTTP, another protocol or noise: ztunnel has the same words for all of them."
    policy = denied_by(record).rpartition("/")[2]
    if failure.reason == "plaintext" and policy and "_" not in policy:
        yield "Whether it was denied for want of an identity: a policy on addresses alone leaves the same line."
