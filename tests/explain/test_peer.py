"""Who had the peer's address, as what stands beside a line tells: in the text, in the commands, in a pile of lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.explain.fold import Fold, pair_of
from shipper.explain.kept import explain_kept, row_of
from shipper.explain.render import Style, as_json, as_text
from shipper.explain.report import Report, explain
from shipper.reading.lines import Readable, read
from shipper.reading.origin import NOBODY, Origin, Peer, peer_of

WIDE = Style(200, color=False)
LEGACY = {
    "peer_kind": "pod",
    "peer_namespace": "default",
    "peer_app": "legacy-client",
    "peer_pod": "legacy-client-6d5f7c9b8-x2x7k",
    "peer_node": "node-7",
    "peer_owner": "legacy-client",
}
OWN = {"namespace": "money", "pod": "payment-0", "failure_reason": "plaintext", "side": "downstream"}
PLAINTEXT = {
    "start_time": "2026-11-30T10:30:00.123Z",
    "response_flags": "NR",
    "response_code": 0,
    "response_code_details": "filter_chain_not_found",
    "downstream_remote_address": "10.0.1.20:54321",
    "downstream_local_address": "10.0.2.3:8080",
    "downstream_transport_failure_reason": "TLS_error|error:1000009c:SSL_routines:OPENSSL_internal:HTTP_REQUEST:"
    "TLS_error_end",
}
UPSTREAM = {
    "start_time": "2026-11-30T10:30:00.123Z",
    "response_flags": "UF,URX",
    "response_code": 503,
    "upstream_host": "10.0.1.20:8080",
    "upstream_cluster": "outbound|8080||web.shop.svc.cluster.local;",
    "upstream_transport_failure_reason": "TLS_error:|268435703:SSL_routines:OPENSSL_internal:WRONG_VERSION_NUMBER:"
    "TLS_error_end",
}


def entry(labels: dict[str, str], line: dict[str, Any] = PLAINTEXT, metadata: dict[str, str] | None = None) -> str:
    """A stream of one entry, as Loki's API answers."""
    value: list[Any] = ["1795689000123000000", json.dumps(line)]
    return json.dumps(
        {"stream": OWN | labels, "values": [[*value, {"structuredMetadata": metadata}] if metadata else value]}
    )


def jsonl(labels: dict[str, str], line: dict[str, Any] = PLAINTEXT) -> str:
    """The same by `logcli --output=jsonl`."""
    return json.dumps({"labels": OWN | labels, "line": json.dumps(line), "timestamp": "2026-11-30T10:30:00.123Z"})


def printed(labels: dict[str, str], line: dict[str, Any] = PLAINTEXT) -> str:
    """The same by `logcli`, for people."""
    shown = ", ".join(f'{name}="{value}"' for name, value in (OWN | labels).items())
    return f"2026-11-30T10:30:00Z {{{shown}}} {json.dumps(line)}"


def downloaded(labels: dict[str, str], line: dict[str, Any] = PLAINTEXT) -> str:
    """The same from Grafana."""
    record = {"line": json.dumps(line), "timestamp": "1795689000123000000", "date": "2026-11-30T10:30:00.123Z"}
    return json.dumps([record | {"fields": OWN | labels}])


def report(text: str) -> Report:
    [found] = read([text.encode()])
    assert isinstance(found, Readable)
    return explain(found)


def row(text: str, label: str) -> list[str]:
    """The values of one label in the text for people."""
    rows, found = as_text(report(text), WIDE).splitlines()[1:], []
    at = ""
    for one in rows:
        at = one[2:12].strip() or at
        if at == label:
            found.append(one[12:])
    return found


@pytest.mark.parametrize("written", [entry, jsonl, printed, downloaded])
def test_a_client_without_a_certificate_is_named_by_what_stands_beside_its_line(written: Any) -> None:
    text = written(LEGACY)
    assert report(text).peer == Peer("pod", "default", "legacy-client", LEGACY["peer_pod"], "node-7", "legacy-client")
    assert row(text, "who") == [
        "from 10.0.1.20:54321, which was pod legacy-client-6d5f7c9b8-x2x7k in default, without the mesh's mTLS"
    ]


def test_metadata_that_loki_keeps_apart_from_the_labels_is_read_too() -> None:
    labels = {name: LEGACY[name] for name in ("peer_namespace", "peer_app")}
    metadata = {name: value for name, value in LEGACY.items() if name not in labels}
    assert report(entry(labels, metadata=metadata)).peer == report(entry(LEGACY)).peer


def test_the_commands_have_the_real_names_and_ask_no_more_who_has_the_address() -> None:
    commands = report(entry(LEGACY)).next
    assert commands[0] == "kubectl get pod legacy-client-6d5f7c9b8-x2x7k -n default --output wide"
    assert commands[1].startswith("kubectl get pod legacy-client-6d5f7c9b8-x2x7k -n default --output jsonpath=")
    assert "istioctl experimental describe pod payment-0 -n money" in commands
    assert not any("<" in command or "10.0.1.20" in command for command in commands)


def test_by_its_labels_alone_it_is_named_by_its_workload() -> None:
    text = entry({"peer_namespace": "default", "peer_app": "legacy-client"})
    assert row(text, "who") == ["from 10.0.1.20:54321, which was default/legacy-client, without the mesh's mTLS"]
    assert report(text).next[0].endswith("status.podIP=10.0.1.20")


def test_a_server_is_named_as_well_and_its_namespace_is_the_real_one() -> None:
    names = {"peer_kind": "pod", "peer_namespace": "shop-blue", "peer_app": "web", "peer_pod": "web-0"}
    text = entry(names | {"side": "upstream"}, UPSTREAM)
    assert report(text).side == "upstream"
    assert "host 10.0.1.20:8080, which was pod web-0 in shop-blue" in row(text, "to")
    assert not any("web-0 in shop-blue" in one for one in row(text, "who"))
    assert report(text).next[0] == "kubectl get pod web-0 -n shop-blue --output wide"


def test_a_pod_of_the_host_network_is_one_of_its_node() -> None:
    text = entry({"peer_kind": "node", "peer_node": "node-7"})
    assert row(text, "who") == ["from 10.0.1.20:54321, which was node node-7 or a pod of its host network"]
    assert report(text).next[0].endswith("spec.nodeName=node-7,spec.hostNetwork=true")
    assert any(limit.startswith("Which pod it was") for limit in report(text).limits)


def test_nobody_of_the_cluster_is_asked_for_an_address_from_outside() -> None:
    text = entry({"peer_kind": "external"})
    assert row(text, "who") == ["from 10.0.1.20:54321, which is none of this cluster's"]
    assert not any("status.podIP" in command for command in report(text).next)


def test_an_unknown_one_is_said_to_be_unknown() -> None:
    text = entry({"peer_kind": "unknown"})
    assert row(text, "who") == ["from 10.0.1.20:54321"]
    assert report(text).next[0].endswith("status.podIP=10.0.1.20")
    assert any(limit.startswith("Who had the peer's address then: it was not known") for limit in report(text).limits)


def test_without_anything_beside_it_nothing_is_said() -> None:
    found = report(json.dumps(PLAINTEXT))
    assert found.peer == NOBODY
    assert "which was" not in as_text(found, WIDE)
    assert not any("had the" in limit for limit in found.limits)


def test_that_there_were_too_many_names_is_no_name() -> None:
    assert peer_of({"peer_namespace": "__overflow__", "peer_app": "__overflow__"}) == NOBODY


def test_a_client_cannot_name_itself() -> None:
    """Keys of the line are the mesh's, and their values a client's; only what stands beside the line is the agent's."""
    found = report(
        json.dumps(PLAINTEXT | {"peer_pod": "evil", "peer_namespace": "evil", "user_agent": 'peer_pod="evil"'})
    )
    assert found.peer == NOBODY


@given(st.dictionaries(st.sampled_from([*LEGACY, "app"]), st.text() | st.integers() | st.none()))
def test_no_name_that_a_shell_obeys_is_taken(labels: dict[str, Any]) -> None:
    for command in explain(only(json.dumps({"labels": labels, "line": json.dumps(PLAINTEXT)}))).next:
        assert not set(command) & set("\n`;&") or "jsonpath" in command
    peer = peer_of(labels)
    for name in ("kind", "namespace", "app", "pod", "node", "owner"):
        value = getattr(peer, name)
        assert value is None or (value == labels[f"peer_{name}"] and not set(value) & set(" \n\t$`;&|<>(){}'\"\\*?!#~"))


def only(text: str) -> Readable:
    [found] = read([text.encode()])
    assert isinstance(found, Readable)
    return found


# Many lines


def test_pods_of_one_workload_are_one_row_whatever_their_addresses() -> None:
    fold = Fold()
    for number in range(3):
        line = PLAINTEXT | {"downstream_remote_address": f"10.0.1.{20 + number}:1"}
        fold.add(report(jsonl(LEGACY | {"peer_pod": f"legacy-client-6d5f7c9b8-{number:05}"}, line)))
    fold.add(report(jsonl({"peer_kind": "unknown"})))
    assert [(group.count, pair_of(group.report).who) for group in fold] == [
        (3, "default/legacy-client"),
        (1, "10.0.1.20"),
    ]


def test_a_certificates_name_stays_the_first() -> None:
    line = PLAINTEXT | {"downstream_peer_uri_san": "spiffe://cluster.local/ns/shop/sa/web"}
    assert pair_of(report(jsonl(LEGACY, line))).who == "spiffe://cluster.local/ns/shop/sa/web"


def test_what_is_kept_shows_the_workload_in_its_row() -> None:
    labels = OWN | LEGACY | {"app": "payment"}
    found = explain_kept(json.dumps(PLAINTEXT).encode(), labels)
    assert row_of(found, labels) == ("default/legacy-client", "money/payment", "plaintext")


def test_json_has_it_too() -> None:
    assert json.loads(as_json(report(jsonl(LEGACY))))["peer"] == {
        name.removeprefix("peer_"): value for name, value in LEGACY.items()
    }


def test_what_is_nearer_to_a_line_wins() -> None:
    near, far = Origin(peer=Peer(pod="a")), Origin(peer=Peer(pod="b", node="n"))
    assert near.or_else(far).peer == Peer(pod="a", node="n")
    assert near.or_else(Origin()).peer is near.peer
