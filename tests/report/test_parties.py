"""Who called whom: the best name that a line and its log give."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shipper.reading.lines import Readable, read
from shipper.report.parties import Ends, Names, ends_of, network_of
from tests.report.conftest import report_of

CLUSTER = {"upstream_cluster": "outbound|80||web.shop.svc.cluster.local;", "upstream_host": "10.0.0.9:80"}
LOG = {"namespace": "shop", "app": "cart", "pod": "cart-0"}
ZTUNNEL = Path(__file__).parents[1] / "corpus" / "ztunnel.jsonl"


@pytest.mark.parametrize(
    ("record", "side", "fields", "client", "server", "peer"),
    [
        (
            {"downstream_peer_uri_san": "spiffe://a", "downstream_remote_address": "10.0.0.7:1"},
            "downstream",
            LOG,
            Names("spiffe://a", "", ("address", "10.0.0.7")),
            Names("", "shop/cart", ("unknown", "")),
            "10.0.0.7",
        ),
        (
            {"downstream_remote_address": "[fd00::7]:1", "requested_server_name": "outbound_.80_._.web.shop.svc"},
            "downstream",
            {"peer_namespace": "old", "peer_app": "legacy"},
            Names("", "old/legacy", ("address", "fd00::7")),
            Names("", "", ("service", "web.shop.svc")),
            "fd00::7",
        ),
        (
            {**CLUSTER, "downstream_remote_address": "10.0.0.1:5"},
            "upstream",
            LOG,
            Names("", "shop/cart", ("address", "10.0.0.1")),
            Names("", "", ("service", "web.shop.svc.cluster.local")),
            "10.0.0.9",
        ),
        ({}, "upstream", {}, Names(), Names(), ""),
    ],
)
def test_the_best_name_of_each_end(
    record: dict[str, Any], side: str, fields: dict[str, str], client: Names, server: Names, peer: str
) -> None:
    assert ends_of(record, side, fields) == Ends(client, server, peer)


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.8.3.17", "10.8.3.0/24"), ("fd00:1:2:3::9", "fd00:1:2:3::/64"), ("", ""), ("nobody", "")],
)
def test_the_network_that_the_pods_of_a_node_share(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_ztunnels_line_is_of_the_pod_that_it_names() -> None:
    line = (
        b'2026-11-23T10:30:00.000001Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.2:5 src.workload="cart-0" '
        b'src.namespace="shop" src.identity="spiffe://cluster.local/ns/shop/sa/cart" dst.addr=10.0.0.9:80 '
        b'dst.service="web.shop.svc.cluster.local" direction="outbound" error="io error: x"'
    )
    [found] = read([line])
    assert isinstance(found, Readable)
    ends = ends_of(found.record, "upstream", {"namespace": "istio-system", "app": "ztunnel", "pod": "ztunnel-x2x7k"})
    assert (ends.client.identity, ends.client.workload) == ("spiffe://cluster.local/ns/shop/sa/cart", "shop/cart")
    assert ends.server.other == ("service", "web.shop.svc.cluster.local")
    assert ends.own_pod == "shop/cart-0"


@pytest.mark.parametrize(
    ("fields", "workload", "pod"),
    [
        ({"namespace": "istio-system", "app": "ztunnel", "pod": "ztunnel-x2x7k"}, "", "10.0.0.9"),
        ({"namespace": "pay", "app": "payment", "pod": "payment-0"}, "pay/payment", "pay/payment-0"),
        ({}, "", "10.0.0.9"),
    ],
    ids=["its log", "a stream in Loki", "nothing"],
)
def test_a_ztunnels_failed_handshake_is_of_the_address_that_it_was_meant_for(
    fields: dict[str, str], workload: str, pod: str
) -> None:
    line = (
        b"2026-11-23T10:30:00.000001Z\terror\taccess\tconnection failed\tsrc.addr=10.0.0.2:5 dst.addr=10.0.0.9:15008 "
        b'direction="inbound" error="tls handshake error: Custom { kind: InvalidData, error: NoCertificatesPresented }"'
    )
    [found] = read([line])
    assert isinstance(found, Readable)
    ends = ends_of(found.record, "downstream", fields)
    assert (ends.server.workload, ends.own_pod, ends.peer_address) == (workload, pod, "10.0.0.2")


def test_pods_are_those_that_a_ztunnel_speaks_for(tmp_path: Path) -> None:
    line = (
        "2026-11-23T10:30:0{second}.000001Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.{client}:5{second} "
        'src.workload="cart-7d4b9c6f5d-x{client}x7k" src.namespace="shop" dst.addr=10.0.0.9:80 '
        'src.identity="spiffe://cluster.local/ns/shop/sa/cart" '
        'dst.service="web.shop.svc.cluster.local" direction="outbound" '
        'error="io error: tls handshake error: invalid peer certificate: Expired"\n'
    )
    file = tmp_path / "ztunnel.log"
    file.write_text("".join(line.format(second=at, client=2 + at % 3) for at in range(9)))
    [row] = report_of(file).rows
    assert (row.client.name, row.connections) == ("spiffe://cluster.local/ns/shop/sa/cart", 9)
    assert (row.pods.count, row.addresses.count) == (3, 1)  # of the clients, and of the peer


def test_a_ztunnels_failures_are_counted_as_each_is_classified(tmp_path: Path) -> None:
    corpus = [json.loads(line) for line in ZTUNNEL.read_text("utf-8").splitlines()]
    file = tmp_path / "ztunnel.log"
    file.write_text("\n".join(one["line"] for one in corpus) + "\n", "utf-8")
    found = report_of(file, rows=1000)
    # Before Istio 1.26 a refused client is a line of another log, which names nobody: the agent keeps none either.
    wanted = [one for one in corpus if one["wanted"]["keep"] and "hyper_util" not in one["line"]]
    assert found.seen == Counter(one["wanted"]["side"] for one in wanted)
    assert len(wanted) > 50
    assert found.lines.get("unreadable", 0) == 0


def test_labels_beside_a_line_name_the_peer(tmp_path: Path) -> None:
    """What `logcli` prints of a stream: the agent's own words of who had the address, and of none that was too much."""
    line = {"downstream_remote_address": "10.0.1.20:1", "downstream_transport_failure_reason": "TLS_error|HTTP_REQUEST"}
    line |= {"response_flags": "NR", "response_code": "0", "response_code_details": "filter_chain_not_found"}
    labels = {"namespace": "money", "pod": "payment-0", "peer_namespace": "default"}
    file = tmp_path / "logcli.jsonl"
    apps = ("legacy-client", "__overflow__")
    rows = [{"labels": labels | {"peer_app": app}, "line": json.dumps(line)} for app in apps]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    found = {row.client.name for row in report_of(file).rows}
    assert found == {"default/legacy-client", "10.0.1.20"}
