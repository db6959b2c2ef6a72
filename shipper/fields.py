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

PEER_FIELDS: Final = ("peer_kind", "peer_namespace", "peer_app", "peer_pod", "peer_node", "peer_owner")
"""The fields of a failed handshake's peer: whose its address was, as a directory of the cluster knows it."""

LINE_FIELDS: Final = (*_LINE, *PEER_FIELDS)
FIELDS: Final = TARGET_FIELDS + LINE_FIELDS

KEYS: Final = {field: key for field, key in _LINE.items() if key is not None}
"""Key of the access log, by the field that is read from it."""

ACCESS_LOG_KEYS: Final = (
    *dict.fromkeys(KEYS.values()),
    "start_time",
    "response_code",
    "response_code_details",
    "downstream_transport_failure_reason",
    "upstream_transport_failure_reason",
    "upstream_cluster",
    "upstream_peer_uri_san",
    "downstream_peer_issuer",
    "downstream_peer_serial",
    "downstream_peer_cert_v_start",
    "downstream_peer_cert_v_end",
    "authority",
    "duration",
    "bytes_received",
    "bytes_sent",
)
"""All keys of Envoy's access log that anything here reads, as Istio names them."""

TELLING_KEYS: Final = frozenset(ACCESS_LOG_KEYS) - {"request_id", "connection_id", "authority", "duration"}
"""Keys of which an access log has one at least, whatever else its format leaves out: other programs do not log them."""

FIELD_OF: Final = {key: field for field, key in KEYS.items() if field != "source_ip"}
"""The field that holds the whole value of an access log's key, by the key."""
