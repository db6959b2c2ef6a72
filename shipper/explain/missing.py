"""What a line cannot tell: fields that its format leaves out, and facts that Envoy never writes.

A field that is present and empty is not missing: then Envoy had nothing to say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from shipper.explain import ambient
from shipper.explain.verdict import CANNOT_TELL, REFUSED_UNSEEN
from shipper.pipeline.failure import DOWNSTREAM, UPSTREAM, Failure
from shipper.pipeline.record import Record, text
from shipper.reading.origin import NOBODY, Peer
from shipper.who.holder import UNKNOWN

LISTENER: Final = "in an access log of the inbound listener (deploy/mesh)"
OUTBOUND: Final = "in the access log of the outbound HTTP and TCP filters (deploy/mesh)"


@dataclass(frozen=True, slots=True)
class Missing:
    """A key the line does not have, what it would tell, and where it is set up."""

    field: str
    operator: str  # of the access log's format
    tells: str
    where: str


# Where a field is not its operator in lower case. Without RAW, Envoy prints the statistics name: in Istio, with a `;`.
_OPERATORS: Final = {"upstream_cluster": "%UPSTREAM_CLUSTER_RAW%"}

_CAUSE: Final = ("downstream_transport_failure_reason", "why the handshake of a client failed")
_UPSTREAM_CAUSE: Final = ("upstream_transport_failure_reason", "why the handshake with an upstream failed")
_CLIENT: Final = (
    ("downstream_peer_uri_san", "which identity the client claimed"),
    ("downstream_peer_subject", "the subject of the client's certificate"),
    ("downstream_remote_address", "the client's address"),
    ("downstream_local_uri_san", "the identity of this proxy"),
    ("requested_server_name", "which service the client asked for"),
)
_DATES: Final = (
    ("downstream_peer_cert_v_start", "from when the client's certificate is valid"),
    ("downstream_peer_cert_v_end", "until when the client's certificate is valid"),
    ("start_time", "when the connection was made, so that a certificate can be held against it"),
)
_SERVER: Final = (
    ("upstream_cluster", "which service was called"),
    ("upstream_host", "the address of the server"),
    ("downstream_remote_address", "the address of the application that called"),
)


_TLS_WORDS: Final = (
    "downstream_transport_failure_reason",
    "upstream_transport_failure_reason",
    "response_code_details",
)

# Before a certificate has come, these are all that a line can have of the client.
_STRANGER: Final = ("downstream_remote_address", "requested_server_name")
_NO_NAME: Final = frozenset(
    {
        "local_cert_missing",
        "handshake_incomplete",
        "no_client_cert",
        "tls_version_mismatch",
        "cipher_mismatch",
        "plaintext",
        "no_filter_chain",
    }
)

_NO_IDENTITY: Final = "Who it was: no certificate had come when it failed, so there is {} and no identity."


def missing_fields(record: Record, failure: Failure | None, verdict: str) -> tuple[Missing, ...]:
    """The keys that would tell more about this line, if its format had them."""
    return tuple(
        Missing(field, _OPERATORS.get(field, f"%{field.upper()}%"), tells, where)
        for field, tells, where in _wanted(record, failure, verdict)
        if field not in record
    )


def _wanted(record: Record, failure: Failure | None, verdict: str) -> Iterator[tuple[str, str, str]]:
    if ambient.is_ztunnel(record):
        return  # its format is its own
    if failure is None:
        if verdict == CANNOT_TELL:
            yield (*_CAUSE, LISTENER)
            yield (*_UPSTREAM_CAUSE, OUTBOUND)
    elif failure.side == UPSTREAM:
        for field, tells in _SERVER:
            yield field, tells, OUTBOUND
    else:
        if "NR" in text(record, "response_flags"):
            yield "response_code_details", "whether a filter chain was missing, or only an HTTP route", LISTENER
        for field, tells in (*_CLIENT, *(_DATES if failure.reason.startswith("cert_") else ())):
            if failure.reason not in _NO_NAME or field in _STRANGER:
                yield field, tells, LISTENER


def limits_of(record: Record, failure: Failure, peer: Peer = NOBODY) -> tuple[str, ...]:
    """What no field of the line can tell, in sentences. `peer`: who had its address, where that is known."""
    return (*_limits(record, failure, peer), *_limits_of_peer(peer))


def _limits_of_peer(peer: Peer) -> Iterator[str]:
    if peer.kind == UNKNOWN.kind:
        yield "Who had the peer's address then: it was not known for sure when the line was shipped."
    elif peer.kind == "node":
        yield "Which pod it was: those of the host network share their node's address."


def _limits(record: Record, failure: Failure, peer: Peer) -> Iterator[str]:
    reason, side = failure
    named = text(record, "downstream_peer_uri_san") or text(record, "downstream_peer_subject")
    if text(record, "src.identity") and side == DOWNSTREAM:
        pass  # ztunnel's word for a name that it has verified
    elif side == DOWNSTREAM and named:
        yield "The client's names are its own claim: nobody has verified them."
    elif side == DOWNSTREAM and reason in _NO_NAME and record.get("scope") != "hyper_util":  # which has no address
        yield _NO_IDENTITY.format("a workload that had the address" if peer.workload else "an address")
    if ambient.is_ztunnel(record):
        yield from ambient.limits_of(record, failure)
        return
    if ambient.is_tunnel(record):
        yield from ambient.limits_of_tunnel(failure)
    if side == UPSTREAM and reason.startswith("cert_"):
        yield "The upstream's certificate: Envoy logs nothing of one that it has refused."
    if reason == "cert_verify_failed":
        yield "The cause: Envoy before 1.37 does not write it; compare the roots and the identities by hand."
    if reason == "peer_rejected_cert":
        yield f"The peer's full reason, for an alert is one word. {REFUSED_UNSEEN}"
    yield from _other_readings(record, failure)
    if reason == "upstream_timeout":
        yield "Failed handshakes: none of them carries the flag UT."


def _other_readings(record: Record, failure: Failure) -> Iterator[str]:
    """What else the same words can stand for."""
    said = " ".join(text(record, key) for key in _TLS_WORDS).replace("_", " ").upper()
    unnoted = "NR" in text(record, "response_flags") and "downstream_transport_failure_reason" not in record
    if failure.reason == "plaintext" and unnoted:
        yield (
            "Whether it was plaintext: TLS without an SNI, and a client that sent nothing, leave the same line where "
            "the format lacks downstream_transport_failure_reason. At a gateway it is usually TLS without an SNI."
        )
    if failure.reason == "plaintext" and unnoted and not text(record, "response_code_details"):
        yield "Whether it was a handshake: an HTTP request that found no route has the flag NR too."
    if "HANDSHAKE FAILURE ON CLIENT HELLO" in said:
        yield "Whether it was the ciphers: a server that knows no host of this SNI, or misses one, answers the same."
    if "NOT SUPPLIED BY SDS" in said:
        yield "Which secret was missing: Envoy says the same of its own certificate and of the CA bundle."
