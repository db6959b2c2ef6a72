"""From the log file to Loki and back into the positions."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lab import clients, faults
from lab.containerd import cri_line, rfc3339nano
from lab.faults import Arrival
from lab.lines import healthy, timed_out
from lab.mesh import mesh
from shipper.agent import FINE, UNDELIVERED, Agent, Options
from tests.agent.conftest import MakeLog, Node


async def test_kept_lines_arrive_byte_for_byte_with_their_time_and_labels(node: Node, pod: MakeLog) -> None:
    log = pod("search-api-5f6d8b7c9-zzq4d", namespace="shop")
    line = b'{ "response_flags" : "DC,UT",\t"downstream_peer_uri_san":"spiffe://a/b","upstream_host":"-"}'
    nanos = log.write(line)
    log.write(healthy(1))
    async with node.running():
        (entry,) = await node.loki.entries(1)
    assert (entry.line, entry.nanos) == (line, nanos)
    assert entry.labels == {
        "app": "search-api",
        "job": "kubernetes-pods-istio-proxy",
        "namespace": "shop",
        "pod": "search-api-5f6d8b7c9-zzq4d",
        "response_flags": "DC,UT",
        "service_name": "search-api",
        "source_san": "spiffe://a/b",
    }


async def test_each_request_holds_one_stream(node: Node, pod: MakeLog) -> None:
    log = pod()
    for ident in range(30):
        log.write(timed_out(ident, downstream_peer_uri_san=f"spiffe://a/{ident % 5}"))
    await node.once()
    assert {len(push.streams) for push in node.loki.pushes} == {1}
    assert len(node.loki.stored()) == 30


async def test_a_login_page_in_lokis_place_moves_no_position(
    node: Node, pod: MakeLog, caplog: pytest.LogCaptureFixture
) -> None:
    log = pod()
    for ident in range(123):
        log.write(timed_out(ident))
    node.loki.fault = faults.status(200, "<html><title>Sign in</title><input type=password></html>")
    code, agent = await node.once(patience=0.3)
    assert code == UNDELIVERED
    assert (agent.metrics.ledger()["sent"], agent.metrics.ledger()["pending"]) == (0, 123)
    assert 'http_200: this is no answer of Loki\'s, which is 204: a login page ("Sign in")' in caplog.text
    node.loki.fault = None
    assert (await node.once())[0] == FINE
    assert len(node.loki.stored()) == 123


async def test_what_was_shipped_is_not_sent_again_after_a_restart(node: Node, pod: MakeLog) -> None:
    log = pod()
    log.write(timed_out(1))
    async with node.running():
        await node.loki.entries(1)
    log.write(timed_out(2))
    async with node.running():
        await node.loki.entries(2)
    assert [entry.copies for entry in node.loki.stored()] == [1, 1]


async def test_what_loki_did_not_acknowledge_is_sent_again_after_a_restart_under_the_same_labels(
    node: Node, pod: MakeLog
) -> None:
    log = pod()
    node.loki.fault = faults.reset_after()
    log.write(timed_out(1, downstream_peer_uri_san="spiffe://a/b"))
    async with node.running():
        await node.loki.requests(1)
    node.loki.fault = None
    async with node.running():
        await node.loki.until(lambda: node.loki.pushes[-1].status == 204)
    (entry,) = node.loki.stored()
    assert entry.copies >= 2


async def test_the_labels_of_a_target_are_saved_before_the_first_push(node: Node, pod: MakeLog) -> None:
    pod().write(timed_out(1))
    saved: list[Any] = []

    def fault(arrival: Arrival) -> Awaitable[web.StreamResponse | None]:
        saved.append(json.loads(node.positions.read_bytes()))
        return faults.slow(0)(arrival)

    node.loki.fault = fault
    async with node.running():
        await node.loki.entries(1)
    (target,) = saved[0]["targets"].values()
    assert target["fields"]["app"] == "payment-service"
    assert target["streams"] == [{"response_flags": "UT"}]
    assert target["files"][0]["offset"] == 0


async def test_the_ledger_closes(node: Node, pod: MakeLog) -> None:
    log = pod()
    for ident in range(20):
        log.write(timed_out(ident))
        log.write(healthy(ident))
    log.write(b"not JSON")
    log.write(b'{"response_flags":"UT"')
    log.write(timed_out(0), nanos=log.now() - 8 * 86_400 * 10**9)
    code, agent = await node.once()
    assert code == UNDELIVERED
    assert agent.metrics.ledger() == {"read": 43, "filtered": 22, "sent": 20, "dropped": 1, "pending": 0}
    refused = [json.loads(line) for line in node.positions.with_name("quarantine.jsonl").read_text().splitlines()]
    assert [(one["reason"], json.loads(one["line"])["request_id"]) for one in refused] == [
        ("greater_than_max_sample_age", "0")
    ]


async def test_once_gives_up_on_a_loki_that_is_away_and_the_next_run_delivers(node: Node, pod: MakeLog) -> None:
    pod().write(timed_out(1))
    await node.loki.refuse()
    code, agent = await node.once(patience=0.3)
    assert (code, agent.metrics.ledger()["pending"]) == (UNDELIVERED, 1)
    await node.loki.listen()
    code, _ = await node.once()
    assert code == FINE
    assert len(node.loki.stored()) == 1


async def test_once_does_not_linger_for_entries_that_cannot_come(node: Node, pod: MakeLog) -> None:
    pod().write(timed_out(1))
    config = node.config(clients=f'[{{url: "{node.loki.url}", batchwait: 1h}}]')
    agent = Agent(config, Options(once=True), linger=3600.0)
    assert await asyncio.wait_for(agent.run(), 20) == FINE
    assert len(node.loki.stored()) == 1


async def test_once_on_a_node_without_logs_is_fine(node: Node) -> None:
    assert (await node.once())[0] == FINE


async def test_a_new_pod_is_noticed_while_it_runs(node: Node, pod: MakeLog) -> None:
    async with node.running():
        pod("early-7d4b9c6f5d-x2x7k").write(timed_out(1))
        await node.loki.entries(1)
        late = pod("late-7d4b9c6f5d-x2x7k")
        late.write(timed_out(2))
        await node.loki.entries(2)
        late.rotate()
        late.write(timed_out(3))
        assert {entry.labels["app"] for entry in await node.loki.entries(3)} == {"early", "late"}


async def test_a_plain_directory_of_logs_without_cri_prefix(node: Node) -> None:
    now = time.time_ns() // 10**6 * 10**6
    started = rfc3339nano(now)
    (node.root / "checkout.log").write_bytes(timed_out(1, start_time=started) + b"\n" + healthy(2) + b"\n")
    (node.root / "ledger.log").write_bytes(cri_line(now - 1, timed_out(2)))
    await node.once(node.config(scrape=", static_labels: {namespace: lab, pod: laptop}"))
    told = [
        (entry.labels["app"], entry.labels["namespace"], entry.labels["pod"], entry.nanos)
        for entry in node.loki.stored()
    ]
    assert told == [("ledger", "lab", "laptop", now - 1), ("checkout", "lab", "laptop", now)]


async def test_text_access_logs_are_counted_and_said_once(
    node: Node, pod: MakeLog, caplog: pytest.LogCaptureFixture
) -> None:
    log = pod()
    for _ in range(3):
        log.write(
            b'[2026-11-23T10:30:00.123Z] "GET / HTTP/1.1" 504 UT response_timeout - "-" 0 24 300 - "-" "curl" "-"'
        )
    _, agent = await node.once()
    assert agent.metrics.registry.get_sample_value("shipper_lines_filtered_total", {"reason": "text_format"}) == 3
    (said,) = [record.message for record in caplog.records if "text format" in record.message]
    assert "accessLogEncoding: JSON" in said


async def test_sigterm_while_loki_hangs_loses_nothing(node: Node, pod: MakeLog) -> None:
    log = pod()
    node.loki.fault = faults.hang()
    log.write(timed_out(1))
    async with node.running():  # asserts that it ends in time
        await node.loki.requests(1)
    node.loki.fault = None
    async with node.running():
        await node.loki.entries(1)


async def test_without_a_client_entries_are_only_counted(node: Node, pod: MakeLog) -> None:
    pod().write(timed_out(1))
    code, agent = await node.once(node.config(clients="[]"))
    assert code == FINE
    assert agent.metrics.ledger() == {"read": 1, "filtered": 0, "sent": 0, "dropped": 1, "pending": 0}


async def test_a_dry_run_prints_and_touches_nothing(
    node: Node, pod: MakeLog, capsys: pytest.CaptureFixture[str]
) -> None:
    pod().write(timed_out(1))
    agent = Agent(node.config(), Options(once=True, dry_run=True))
    assert await agent.run() == FINE
    assert '"request_id":"1"' in capsys.readouterr().out
    assert not node.positions.exists()
    assert not node.loki.pushes


async def test_metadata_stands_beside_the_line(node: Node, pod: MakeLog) -> None:
    pod().write(timed_out(1, downstream_remote_address="10.0.0.9:4711"))
    await node.once(node.config(scrape=", structured_metadata: [source_ip, container]"))
    assert set(node.loki.stored()[0].metadata) == {("source_ip", "10.0.0.9"), ("container", "istio-proxy")}


async def test_every_failure_of_a_real_envoy_arrives_with_its_reason(node: Node, tmp_path: Path) -> None:
    async with mesh(tmp_path) as scene:
        callers = clients.failing(scene.certificates)
        for caller in callers:
            await scene.call(caller)
        code, _ = await node.once(node.config(root=scene.pods, scrape=", keep: mtls"))
    assert code == FINE
    assert Counter(entry.labels["failure_reason"] for entry in node.loki.stored()) == Counter(
        caller.failure for caller in callers
    )
