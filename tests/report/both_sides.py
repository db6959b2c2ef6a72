"""The logs of two pods between which connections fail, as each of their proxies tells it."""

import json
from pathlib import Path

TIMES = 40
ALONE = 5  # that only the client's proxy saw
REASON = (
    "TLS_error:|268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509_verify_cert:"
)
EXPIRED = f"{REASON}_certificate_verification_error_at_depth_0:_certificate_has_expired:TLS_error_end"
REFUSED = "TLS_error:|268436501:SSL_routines:OPENSSL_internal:SSLV3_ALERT_CERTIFICATE_EXPIRED:TLS_error_end"


def at_the_server(number: int) -> dict[str, object]:
    return {
        "start_time": f"2026-11-30T14:{number % 60:02}:00.000Z",
        "response_flags": "-",
        "downstream_remote_address": f"10.0.0.7:{40000 + number}",
        "downstream_local_address": "10.0.0.9:8080",
        "downstream_peer_uri_san": "spiffe://cluster.local/ns/shop/sa/cart",
        "downstream_peer_issuer": "CN=old",
        "downstream_local_uri_san": "spiffe://cluster.local/ns/shop/sa/web",
        "downstream_transport_failure_reason": EXPIRED,
    }


def at_the_client(number: int) -> dict[str, object]:
    return {
        "start_time": f"2026-11-30T14:{number % 60:02}:00.000Z",
        "response_flags": "UF",
        "response_code": 503,
        "downstream_remote_address": f"10.0.0.7:{50000 + number}",
        "upstream_host": "10.0.0.9:8080",
        "upstream_cluster": "outbound|80||web.shop.svc.cluster.local;",
        "upstream_transport_failure_reason": REFUSED,
    }


def write(root: Path) -> None:
    """As the kubelet lays them out."""
    logs = {
        "web-7d4b9c6f5d-x2x7k": map(at_the_server, range(TIMES)),
        "cart-7d4b9c6f5d-b8b9c": map(at_the_client, range(TIMES + ALONE)),
    }
    for pod, lines in logs.items():
        directory = root / f"shop_{pod}_0af1bd14-6d4f-4f5e-9a7e-0123456789ab" / "istio-proxy"
        directory.mkdir(parents=True)
        (directory / "0.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
