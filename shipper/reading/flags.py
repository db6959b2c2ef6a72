"""Envoy's response flags in words."""

from typing import Final

from shipper.pipeline.record import Record, text

FLAGS: Final[dict[str, str]] = {
    "UH": "no healthy upstream host",
    "UF": "the connection to the upstream failed",
    "UO": "upstream overflow: a circuit breaker is open",
    "NR": "no route, or no filter chain for the connection",
    "URX": "retries or connection attempts are used up",
    "NC": "the upstream cluster does not exist",
    "DT": "the connection lived longer than allowed",
    "DC": "the client closed the connection",
    "LH": "the local health check failed",
    "UT": "upstream request timeout, HTTP 504",
    "LR": "Envoy reset the request itself",
    "UR": "the upstream reset the request",
    "UC": "the upstream closed the connection",
    "DI": "a delay was injected",
    "FI": "a fault was injected",
    "RL": "rate limited, HTTP 429",
    "UAEX": "denied by the external authorization service",
    "RLSE": "the rate limit service failed",
    "IH": "a header that Envoy demands has an invalid value",
    "SI": "the stream was idle too long",
    "DPE": "the client broke the HTTP protocol",
    "UPE": "the upstream broke the HTTP protocol",
    "UMSDR": "the upstream request took longer than allowed",
    "RFCF": "answered from a cache",
    "NFCF": "a filter's configuration had not arrived",
    "OM": "ended by the overload manager",
    "DF": "the upstream's name could not be resolved",
    "DO": "dropped: the control plane sheds load",
    "UDO": "dropped: the control plane sheds all load",
    "DR": "the client reset the request",
}


def flags_in_words(record: Record) -> dict[str, str]:
    """Each response flag with its meaning, in the order of the line; empty for none."""
    names = text(record, "response_flags").split(",")
    return {name: FLAGS.get(name, "not a flag of Envoy itself") for name in map(str.strip, names) if name}
