"""Access-log JSON to the fields we use.

Tolerant of Envoy's versions: null, missing, `-` and the empty string are one; a number stands for its digits. Field
names on the left are ours, those of labels and structured metadata; on the right are the keys of the access log.
"""

from collections.abc import Mapping
from typing import Final

import orjson

Record = Mapping[str, object]

KEYS: Final[dict[str, str]] = {
    "response_flags": "response_flags",
    "termination_details": "connection_termination_details",
    "source_san": "downstream_peer_uri_san",
    "source_address": "downstream_remote_address",
    "local_address": "downstream_local_address",
    "upstream_host": "upstream_host",
    "requested_server_name": "requested_server_name",
    "tls_version": "downstream_tls_version",
    "tls_cipher": "downstream_tls_cipher",
    "local_san": "downstream_local_uri_san",
    "peer_subject": "downstream_peer_subject",
    "request_id": "request_id",
    "log_type": "log_type",
    "connection_id": "connection_id",
}


def parse_record(content: bytes) -> Record | None:
    """The JSON object, or None when the content is none. Of equal keys the last counts."""
    try:
        record = orjson.loads(content)
    except ValueError:
        return None
    return record if type(record) is dict else None


def text(record: Record, key: str) -> str:
    """The value as text; empty for what says nothing, and for what no text can stand for."""
    value = record.get(key)
    if type(value) is str:
        return "" if value == "-" else value
    if type(value) is int or type(value) is float:
        return str(value)
    return ""


def source_ip(record: Record) -> str:
    """The client's address without its port."""
    return without_port(text(record, "downstream_remote_address"))


def without_port(address: str) -> str:
    """`10.244.2.9:41512`, `[fd00::7]:41512` and `10.244.2.9` to the address alone."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        return address
    return host.strip("[]")
