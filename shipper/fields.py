"""The fields that labels and structured metadata may use, with the access log's key that each is read from."""

from typing import Final

TARGET_FIELDS: Final = ("namespace", "app", "pod", "container", "node", "uid")

# The fields of a line with the access log's key they are read from; None: the classification of the failure gives it.
_LINE: Final[dict[str, str | None]] = {
    "response_flags": "response_flags",
    "termination_details": "connection_termination_details",
    "source_san": "downstream_peer_uri_san",
    "failure_reason": None,
    "side": None,
    "source_ip": "downstream_remote_address",  # without the port
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

LINE_FIELDS: Final = tuple(_LINE)
FIELDS: Final = TARGET_FIELDS + LINE_FIELDS

KEYS: Final = {field: key for field, key in _LINE.items() if key is not None}
"""Key of the access log, by the field that is read from it."""

FIELD_OF: Final = {key: field for field, key in KEYS.items() if field != "source_ip"}
"""The field that holds the whole value of an access log's key, by the key."""
