"""The configuration of the demo's Envoy: an Istio sidecar's inbound side under a STRICT PeerAuthentication.

Plain data, made from paths and ports. Two access logs go to stdout as JSON: the requests' and, on the listener,
that of failed handshakes; the filter and fields of the latter are those of the EnvoyFilter in deploy/mesh.
"""

from typing import Any

from lab.certificates import TRUST_DOMAIN, Certificates

Json = dict[str, Any]

UPSTREAM_TIMEOUT = 0.3  # seconds; the application's slow path takes longer

_API = "type.googleapis.com/envoy.extensions"
_CIPHERS = [
    f"ECDHE-{key}-{cipher}" for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256") for key in ("ECDSA", "RSA")
]

_PEER = (
    *("response_flags", "connection_termination_details", "downstream_remote_address"),
    *("downstream_local_address", "upstream_host", "requested_server_name", "downstream_tls_cipher"),
    *("downstream_tls_version", "downstream_peer_uri_san", "downstream_local_uri_san"),
    *("downstream_peer_subject", "start_time", "connection_id", "response_code", "response_code_details"),
    *("upstream_transport_failure_reason", "upstream_cluster", "route_name", "duration"),
    *("bytes_received", "bytes_sent"),
)
_REQUEST = {
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "authority": "%REQ(:AUTHORITY)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}
_FAILURE = {
    "log": "mtls_failure",
    "log_type": "%ACCESS_LOG_TYPE%",
    "downstream_transport_failure_reason": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "downstream_direct_remote_address": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "downstream_peer_issuer": "%DOWNSTREAM_PEER_ISSUER%",
    "downstream_peer_serial": "%DOWNSTREAM_PEER_SERIAL%",
    "downstream_peer_fingerprint_256": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    "downstream_peer_cert_v_start": "%DOWNSTREAM_PEER_CERT_V_START%",
    "downstream_peer_cert_v_end": "%DOWNSTREAM_PEER_CERT_V_END%",
    "filter_chain_name": "%FILTER_CHAIN_NAME%",
}
_FAILED = (
    "connection.transport_failure_reason.startsWith('TLS_error:')",  # not `TLS_error|`: healthy plaintext
    "connection.transport_failure_reason.contains('not supplied by SDS')",
    "connection.termination_details.contains('transport socket timeout')",
)


def sidecar(certificates: Certificates, app_port: int) -> Json:
    """The whole bootstrap; the listener and the admin take free loopback ports."""
    return {
        "node": {"id": "payment-service", "cluster": "payment-service.shop"},
        "admin": {"address": _loopback(0)},
        "static_resources": {
            "listeners": [_strict_listener(certificates)],
            "clusters": [_application(app_port)],
        },
    }


def _strict_listener(certificates: Certificates) -> Json:
    inspector = f"{_API}.filters.listener.tls_inspector.v3.TlsInspector"
    tls_alone = {"transport_protocol": "tls"}  # plaintext finds no chain: flag NR
    return {
        "name": "virtualInbound",
        "address": _loopback(0),
        "listener_filters": [_typed("envoy.filters.listener.tls_inspector", inspector)],
        "access_log": [_failure_log()],
        "filter_chains": [
            {
                "name": "0.0.0.0_8080",
                "filter_chain_match": tls_alone,
                "transport_socket": _mutual_tls(certificates),
                "filters": [_http()],
            }
        ],
    }


def _mutual_tls(certificates: Certificates) -> Json:
    own, domain = certificates.payment, f"spiffe://{TRUST_DOMAIN}/"
    common = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_2",
            "tls_maximum_protocol_version": "TLSv1_3",
            "cipher_suites": _CIPHERS,
        },
        "tls_certificates": [
            {"certificate_chain": _file(own.certificate), "private_key": _file(own.key)},
        ],
        "validation_context": {
            "trusted_ca": _file(certificates.root),
            "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"prefix": domain}}],
        },
    }
    kind = f"{_API}.transport_sockets.tls.v3.DownstreamTlsContext"
    return _typed("envoy.transport_sockets.tls", kind, require_client_certificate=True, common_tls_context=common)


def _http() -> Json:
    router = _typed("envoy.filters.http.router", f"{_API}.filters.http.router.v3.Router")
    route = {
        "name": "default",
        "match": {"prefix": "/"},
        "route": {"cluster": "inbound|8080||", "timeout": f"{UPSTREAM_TIMEOUT}s"},
    }
    return _typed(
        "envoy.filters.network.http_connection_manager",
        f"{_API}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="inbound_0.0.0.0_8080",
        access_log=[_stdout(_operators(_PEER) | _REQUEST)],
        http_filters=[router],
        route_config={
            "name": "inbound|8080||",
            "virtual_hosts": [{"name": "inbound|http|8080", "domains": ["*"], "routes": [route]}],
        },
    )


def _failure_log() -> Json:
    cel = f"{_API}.access_loggers.filters.cel.v3.ExpressionFilter"
    expressions = [_typed("envoy.access_loggers.extension_filters.cel", cel, expression=one) for one in _FAILED]
    filters = [
        {"response_flag_filter": {"flags": ["NR"]}},
        *({"extension_filter": one} for one in expressions),
    ]
    return _stdout(_operators(_PEER) | _FAILURE) | {"filter": {"or_filter": {"filters": filters}}}


def _stdout(fields: dict[str, str]) -> Json:
    kind = f"{_API}.access_loggers.stream.v3.StdoutAccessLog"
    return _typed("envoy.access_loggers.stdout", kind, log_format={"json_format": fields})


def _operators(names: tuple[str, ...]) -> dict[str, str]:
    return {name: f"%{name.upper()}%" for name in names}


def _application(port: int) -> Json:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": _loopback(port)}}]}
    return {
        "name": "inbound|8080||",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "inbound|8080||", "endpoints": [endpoint]},
    }


def _loopback(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _file(path: object) -> Json:
    return {"filename": str(path)}


def _typed(name: str, kind: str, **settings: Any) -> Json:
    return {"name": name, "typed_config": {"@type": kind, **settings}}
