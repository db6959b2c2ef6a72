"""A mesh's morning in which an intermediate CA expires: always the same 20,600 lines, 1,200 failed connections in them.

    python -m lab.outage DIRECTORY

Six services of two pods each, called by 24 clients. At 14:02:10 the intermediate CA `shop-ca-2025` expires: all clients
that it signed are refused from then on. Beside that, as on any day: a legacy client that speaks plaintext, a port scan,
a request that runs out of time, the proxy's own log. The records are those that a real Envoy 1.40 wrote for the same
failures, with other names and times.
"""

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from lab.containerd import SECOND, cri_line, rfc3339nano

BEGIN: Final = int(datetime(2026, 11, 30, 8, 0, tzinfo=UTC).timestamp()) * SECOND
EXPIRY: Final = int(datetime(2026, 11, 30, 14, 2, 10, tzinfo=UTC).timestamp()) * SECOND
END: Final = int(datetime(2026, 11, 30, 14, 30, tzinfo=UTC).timestamp()) * SECOND
ISSUER: Final = "CN=shop-ca-2025,O=cluster.local"
OTHER_ISSUER: Final = "CN=shop-ca-2026,O=cluster.local"
SERVICES: Final = ("payment", "orders", "stock", "prices", "accounts", "mail")
CLIENTS: Final = tuple(f"client-{number:02d}" for number in range(24))
LINES, EXPIRED, PLAINTEXT, SCANNED, REPEATED, TIMED_OUT, OWN = 20_600, 1_140, 48, 12, 30, 40, 200

_TLS: Final = "TLS_error:|268435581:SSL_routines:OPENSSL_internal:"
_EXPIRED: Final = (
    f"{_TLS}CERTIFICATE_VERIFY_FAILED:verify_cert_failed:_X509_verify_cert:_certificate_verification_error_at_depth_1:"
    "_certificate_has_expired:TLS_error_end"
)
_PLAINTEXT: Final = "TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST:TLS_error_end"


class Written(NamedTuple):
    """A line of a pod's log."""

    service: str
    pod: str
    nanos: int
    content: bytes

    @property
    def directory(self) -> str:
        """As the kubelet calls it."""
        return f"shop_{self.pod}_{_uid(self.pod)}/istio-proxy"

    @property
    def labels(self) -> dict[str, str]:
        """Of its stream in Loki."""
        return {"job": "kubernetes-pods-istio-proxy", "namespace": "shop", "app": self.service, "pod": self.pod}


def lines() -> list[Written]:
    """All lines, in the order of their times."""
    chance = random.Random(20261130)
    return sorted(_lines(chance), key=lambda line: line.nanos)


def write(root: Path) -> None:
    """The same as the kubelet's directories below `root`."""
    files: dict[str, list[bytes]] = {}
    for line in lines():
        files.setdefault(line.directory, []).append(cri_line(line.nanos, line.content))
    for directory, content in files.items():
        (root / directory).mkdir(parents=True, exist_ok=True)
        (root / directory / "0.log").write_bytes(b"".join(content))


def _lines(chance: random.Random) -> Iterator[Written]:
    number = 0
    for at in _times(chance, EXPIRED, EXPIRY, END):
        number += 1
        service, client = chance.choice(SERVICES), int(chance.triangular(0, 17.99, 2))
        record = _refused(chance, number, at, service, CLIENTS[client])
        yield from _written(chance, service, at, record, repeated=number <= REPEATED)
    for at in _times(chance, PLAINTEXT, BEGIN, END):
        number += 1
        plain = {"response_flags": "NR", "response_code_details": "filter_chain_not_found",
                 "downstream_transport_failure_reason": _PLAINTEXT}  # fmt: skip
        yield from _written(chance, "payment", at, _record(number, at, "10.9.0.77", **plain))
    for at in _times(chance, SCANNED, BEGIN, END):
        number += 1
        scanner = f"10.9.1.{chance.randrange(2, 250)}"
        record = _record(number, at, scanner, downstream_transport_failure_reason=f"{_TLS}system_lib:TLS_error_end")
        yield from _written(chance, chance.choice(SERVICES), at, record)
    for at in _times(chance, TIMED_OUT, BEGIN, END):
        record = _request(chance, at, response_code=504, response_flags="UT", response_code_details="response_timeout")
        yield from _written(chance, chance.choice(SERVICES), at, record)
    for at in _times(chance, OWN, BEGIN, END):
        text = f"{rfc3339nano(at)}\tinfo\tcache\tgenerated new workload certificate\tlatency=1ms".encode()
        yield _line(chance, chance.choice(SERVICES), at, text)
    healthy = LINES - EXPIRED - PLAINTEXT - SCANNED - REPEATED - TIMED_OUT - OWN
    for at in _times(chance, healthy, BEGIN, END):
        yield from _written(chance, chance.choice(SERVICES), at, _request(chance, at))


def _times(chance: random.Random, count: int, begin: int, end: int) -> list[int]:
    """So many times in [begin, end), to the microsecond; the first and last near the edges."""
    return sorted(chance.randrange(begin // 1000, end // 1000) * 1000 for _ in range(count))


def _refused(chance: random.Random, number: int, at: int, service: str, client: str) -> dict[str, object]:
    index = CLIENTS.index(client)
    return _record(
        number,
        at,
        f"10.8.{index % 4}.{10 + index}",
        downstream_local_uri_san=f"spiffe://cluster.local/ns/shop/sa/{service}",
        downstream_peer_uri_san=f"spiffe://cluster.local/ns/shop/sa/{client}",
        downstream_peer_issuer=ISSUER,
        downstream_peer_serial=f"{0x5E2A00 + 2 * index + chance.randrange(2):032x}",
        downstream_peer_subject="O=cluster.local",
        downstream_peer_cert_v_start="2026-11-30T02:00:00.000Z",
        downstream_peer_cert_v_end="2026-12-01T02:00:00.000Z",
        downstream_tls_version="TLSv1.3",
        downstream_tls_cipher="TLS_AES_256_GCM_SHA384",
        downstream_transport_failure_reason=_EXPIRED,
        requested_server_name=f"outbound_.8080_._.{service}.shop.svc.cluster.local",
    )


def _record(number: int, at: int, address: str, **other: object) -> dict[str, object]:
    """A listener's line about a connection that failed."""
    return {
        "bytes_received": 0,
        "bytes_sent": 0,
        "connection_id": number,
        "downstream_local_address": "10.8.9.1:8080",
        "downstream_remote_address": f"{address}:{40000 + number % 20000}",
        "duration": 3,
        "requested_server_name": None,
        "response_code": 0,
        "response_code_details": None,
        "response_flags": "-",
        "start_time": f"{rfc3339nano(at)[:19]}.{at // 1_000_000 % 1000:03d}Z",
        "upstream_host": None,
        "upstream_transport_failure_reason": None,
        **other,
    }


def _request(chance: random.Random, at: int, **other: object) -> dict[str, object]:
    """A request that was answered."""
    client = chance.choice(CLIENTS)
    healthy = {"response_code": 200, "response_code_details": "via_upstream", "bytes_sent": 512,
               "method": "GET", "path": "/api/v1/items", "downstream_tls_version": "TLSv1.3",
               "downstream_peer_uri_san": f"spiffe://cluster.local/ns/shop/sa/{client}",
               "downstream_peer_issuer": OTHER_ISSUER}  # fmt: skip
    return _record(chance.randrange(1 << 20), at, f"10.8.7.{chance.randrange(2, 250)}", **{**healthy, **other})


def _written(
    chance: random.Random, service: str, at: int, record: dict[str, object], *, repeated: bool = False
) -> Iterator[Written]:
    """The line of a record; `repeated`: a second line about the same connection follows, as of tcp_proxy."""
    line = _line(chance, service, at, json.dumps(record, separators=(",", ":")).encode())
    yield line
    if repeated:
        yield line._replace(nanos=at + 1000)


def _line(chance: random.Random, service: str, at: int, content: bytes) -> Written:
    suffix = chance.choice(("bcd7f", "x2x7k"))
    return Written(service, f"{service}-7d4b9c6f5d-{suffix}", at, content)


def _uid(pod: str) -> str:
    return f"{random.Random(pod).getrandbits(128):032x}"


if __name__ == "__main__":
    write(Path(sys.argv[1]))
