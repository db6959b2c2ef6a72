"""A failure between two pods of the mesh is two lines, one at either side: told apart everywhere, added up nowhere."""

import json
import re
from pathlib import Path

import pytest

from shipper.report import sentences
from shipper.report.markdown import markdown
from shipper.report.model import Party, Report
from shipper.report.page import page
from shipper.report.table import table
from tests.report.conftest import report_of

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


@pytest.fixture
def both(tmp_path: Path) -> Report:
    logs = {
        "web-7d4b9c6f5d-x2x7k": map(at_the_server, range(TIMES)),
        "cart-7d4b9c6f5d-b8b9c": map(at_the_client, range(TIMES + ALONE)),
    }
    for pod, lines in logs.items():
        directory = tmp_path / f"shop_{pod}_0af1bd14-6d4f-4f5e-9a7e-0123456789ab" / "istio-proxy"
        directory.mkdir(parents=True)
        (directory / "0.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return report_of(tmp_path)


def test_each_side_has_its_own_figures(both: Report) -> None:
    assert both.seen == {"downstream": TIMES, "upstream": TIMES + ALONE}
    assert {row.side: (row.connections, row.share) for row in both.rows} == {
        "downstream": (TIMES, 1.0),
        "upstream": (TIMES + ALONE, 1.0),
    }
    assert {(one.side, one.connections, one.share) for one in both.findings if one.kind == "client"} == {
        ("downstream", TIMES, 1.0),
        ("upstream", TIMES + ALONE, 1.0),
    }


def test_what_fails_for_a_client_is_told_by_side(both: Report) -> None:
    assert [(one.party.name, one.side, one.connections) for one in both.clients] == [
        ("shop/cart", "upstream", TIMES + ALONE),
        ("spiffe://cluster.local/ns/shop/sa/cart", "downstream", TIMES),
    ]
    assert [(one.party, one.side) for one in both.servers] == [
        (Party("web.shop.svc.cluster.local", "service"), "upstream"),
        (Party("spiffe://cluster.local/ns/shop/sa/web", "identity"), "downstream"),
    ]


def test_no_output_adds_them_up(both: Report) -> None:
    total = re.compile(rf"\b{2 * TIMES + ALONE}\b(?! lines)")
    without_plots = re.sub("<svg.*?</svg>", "", page(both))
    for text in (table(both, 120, color=False, is_unicode=True), markdown(both), without_plots):
        assert not total.search(text)
        for said in (f"{TIMES} connections failed", f"{TIMES + ALONE} connections failed", "not added up"):
            assert said in " ".join(text.split())


def test_the_time_before_is_told_by_side_as_well() -> None:
    assert sentences.by_side({"downstream": 0, "upstream": 0}) == "0 connections"
    assert sentences.by_side({"downstream": 1, "upstream": 0}) == "1 connection"
    assert sentences.by_side({"downstream": 12, "upstream": 3}) == "12 connections (downstream) and 3 (upstream)"
