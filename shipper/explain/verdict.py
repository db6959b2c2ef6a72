"""The verdict on a line without a failed handshake: another failure, no failure, or one cannot tell.

A line that might hide a failure is never called healthy: without the field for the cause, a failed handshake and a
connection that carried nothing write the same line.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from shipper.explain import ambient
from shipper.pipeline.record import Record, text
from shipper.reading.flags import flags_in_words

HANDSHAKE_FAILURE, UPSTREAM_TIMEOUT = "handshake_failure", "upstream_timeout"
OTHER_FAILURE, NO_FAILURE, CANNOT_TELL = "other_failure", "no_failure", "cannot_tell"

REFUSED_UNSEEN: Final = (
    "On TLS 1.3 a client learns nothing of why its certificate is refused: the cause is in the log of the other side's "
    "listener."
)

_RESET: Final = ("io error: Connection reset", "h2 failed: connection closed", "h2 failed: stream closed")


class Verdict(NamedTuple):
    """The verdict on a line that `keep: mtls` does not keep."""

    verdict: str
    meaning: str
    limits: tuple[str, ...] = ()


def not_a_handshake(record: Record) -> Verdict:
    """The verdict on this line."""
    for judge in _JUDGES:
        if found := judge(record):
            return found
    return Verdict(
        CANNOT_TELL,
        "Nothing on this line says that a handshake failed, and nothing says that it did not. A failed handshake and "
        "a connection that carried no data look the same without downstream_transport_failure_reason.",
    )


def _of_ztunnel(record: Record) -> Verdict | None:
    if "direction" not in record or "src.addr" not in record:
        return None
    error = text(record, "error")
    if not error:
        return Verdict(NO_FAILURE, "A connection of ztunnel that ended without an error.")
    if policy := ambient.denied_by(record):
        return Verdict(OTHER_FAILURE, f"The policy {policy} denied it. The handshake was not the problem.")
    if error.startswith(_RESET):
        return Verdict(
            CANNOT_TELL, "The peer reset the connection. Whether its handshake had begun, the line does not say."
        )
    return Verdict(OTHER_FAILURE, "The connection failed outside the TLS handshake; ztunnel's words are beside it.")


def _unmatched(record: Record) -> Verdict | None:
    if "NR" not in flags_in_words(record) or text(record, "response_code") or text(record, "response_code_details"):
        return None
    return Verdict(
        CANNOT_TELL,
        "NR says that an HTTP request found no route, or that no filter chain took the connection. Which of them, only "
        "the response code or its details tell.",
    )


def _stalled(record: Record) -> Verdict | None:
    if "UF" not in flags_in_words(record) or text(record, "upstream_transport_failure_reason"):
        return None
    details = text(record, "response_code_details").replace(" ", "_")
    if "connection_timeout" not in details and text(record, "response_code") != "0":
        return None
    return Verdict(
        CANNOT_TELL,
        "The connection to the upstream was not ready in time. Either the upstream cannot be reached, or it accepted "
        "the connection and did not answer the TLS handshake: Envoy's time-out covers both.",
    )


def _denied(record: Record) -> Verdict | None:
    said = text(record, "connection_termination_details") + text(record, "response_code_details")
    if "rbac_access_denied" not in said:
        return None
    return Verdict(OTHER_FAILURE, "An AuthorizationPolicy denied it. The handshake was not the problem.")


def _not_connected(record: Record) -> Verdict | None:
    if "delayed_connect_error" not in text(record, "upstream_transport_failure_reason").replace(" ", "_"):
        return None
    return Verdict(
        OTHER_FAILURE,
        "The TCP connection to the upstream was not made, so TLS towards it never began. It is refused or unreachable.",
        ("Whether the client's own handshake failed too: on a TCP port a refused upstream may hide that.",)
        if text(record, "response_code") in ("", "0")
        else (),
    )


def _closed_by_upstream(record: Record) -> Verdict | None:
    if "UC" not in flags_in_words(record):
        return None
    meaning = "The upstream closed the connection before it answered. The line does not say why."
    return Verdict(OTHER_FAILURE, meaning, (REFUSED_UNSEEN,))


def _after_handshake(record: Record) -> Verdict | None:
    reason = text(record, "downstream_transport_failure_reason").replace("_", " ")
    if "TLS error:" not in reason or reason.startswith("TLS error|"):
        return None
    return Verdict(
        NO_FAILURE, "The connection ended with a TLS error after it had carried data, so its handshake was over."
    )


def _flagged(record: Record) -> Verdict | None:
    flags = flags_in_words(record)
    if not flags:
        return None
    words = "; ".join(f"{name} = {meaning}" for name, meaning in flags.items())
    if "UF" in flags and "upstream_transport_failure_reason" not in record:
        return Verdict(CANNOT_TELL, f"It ended with {words}. Whether TLS was the cause, this log format does not say.")
    return Verdict(OTHER_FAILURE, f"It ended with {words}. Nothing on the line speaks of a handshake.")


def _answered(record: Record) -> Verdict | None:
    code = text(record, "response_code")
    if code in ("", "0"):
        return None
    return Verdict(NO_FAILURE, f"An HTTP request that was answered with {code}. The connection it came on worked.")


def _used(record: Record) -> Verdict | None:
    received, sent = (text(record, key) not in ("", "0") for key in ("bytes_received", "bytes_sent"))
    if not sent and _towards_upstream(record):
        return Verdict(
            CANNOT_TELL,
            "The connection ended and nothing had come back from the upstream. The handshake with it may have failed.",
            (REFUSED_UNSEEN,),
        )
    if not sent and not received:
        return None
    return Verdict(
        NO_FAILURE,
        "The client's connection carried data, so its handshake was fine. What became of an HTTP request on it stands "
        "on the line of that request.",
    )


def _quiet(record: Record) -> Verdict | None:
    if "downstream_transport_failure_reason" not in record:
        return None
    reason = text(record, "downstream_transport_failure_reason")
    noted = " The reason on it is a note of the TLS inspector, which healthy plaintext has too." if reason else ""
    meaning = f"A connection that ended without data and without an error: a probe, or a client that left.{noted}"
    return Verdict(NO_FAILURE, meaning)


def _towards_upstream(record: Record) -> bool:
    """Whether the client's proxy wrote it; an inbound line names its own identity or an inbound cluster."""
    inbound = text(record, "downstream_local_uri_san") or text(record, "upstream_cluster").startswith("inbound|")
    return text(record, "upstream_host") != "" and not inbound


_JUDGES: Final[tuple[Callable[[Record], Verdict | None], ...]] = (
    _of_ztunnel,
    _unmatched,
    _denied,
    _not_connected,
    _closed_by_upstream,
    _after_handshake,
    _stalled,
    _flagged,
    _answered,
    _used,
    _quiet,
)
