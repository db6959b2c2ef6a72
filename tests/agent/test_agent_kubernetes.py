"""The agent and the Kubernetes API: labels come from it, and nothing else depends on it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from lab import faults
from lab.containerd import LogWriter
from lab.kubernetes import ApiServer
from lab.lines import timed_out
from lab.pods import Pod
from lab.service_account import ServiceAccount, environment
from shipper.agent import Agent
from shipper.kubernetes.client import by_service_account
from shipper.source.timing import Timing
from tests.agent.conftest import Node
from tests.kubernetes.watching import FAST

NODE = "node-1"
SCRAPE = ", kubernetes: true, pod_labels: {team: team}"
PAYMENT = Pod("shop", "payment-service-7d4b9c6f5d-x2x7k", uid="uid-1", labels={"app": "payment", "team": "money"})
LEDGER = Pod("shop", "ledger-0", uid="uid-2", labels={"app": "ledger", "team": "books"})
Logged = Callable[[Pod], LogWriter]


@pytest.fixture(autouse=True)
def hurried(node: Node) -> None:
    node.timing = Timing(tick=0.05)


@pytest.fixture
async def api(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiServer]:
    """An API server, and this process in a pod of its cluster."""
    account = ServiceAccount(tmp_path, "secret")
    async with ApiServer(context=account.context(), tokens={"secret"}) as server:
        for name, value in {**environment(server.address), "NODE_NAME": NODE}.items():
            monkeypatch.setenv(name, value)
        node.api = {"connect": partial(by_service_account, tmp_path), "api_timing": FAST}
        yield server
    assert server.violations == []


def pods_wait(node: Node, seconds: float) -> None:
    """Targets of the agents started from now on wait so long for their pod."""
    node.api["api_timing"] = replace(FAST, pod_wait=seconds)


@pytest.fixture
def logged(pod: Callable[..., LogWriter]) -> Logged:
    """The log of a pod that the API knows."""
    return lambda of: pod(of.name, namespace=of.namespace, uid=of.uid)


def targets(agent: Agent, metadata: str) -> float | None:
    """How many targets started with or without their pod's metadata: `found`, `none`."""
    return agent.metrics.registry.get_sample_value("shipper_kubernetes_targets_total", {"metadata": metadata})


def apps(node: Node) -> set[tuple[str, str]]:
    """Pod and app of everything that Loki has."""
    return {(entry.labels["pod"], entry.labels["app"]) for entry in node.loki.stored()}


async def test_labels_come_from_the_api(node: Node, logged: Logged, api: ApiServer) -> None:
    api.put(PAYMENT)
    logged(PAYMENT).write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        (entry,) = await node.loki.entries(1)
    assert (entry.labels["app"], entry.labels["team"], entry.labels["service_name"]) == ("payment", "money", "payment")


async def test_a_log_that_is_there_before_its_pod_is_known_waits_for_it(
    node: Node, logged: Logged, api: ApiServer
) -> None:
    log = logged(PAYMENT)
    log.write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)) as agent:
        await api.until(lambda: api.watching)
        assert node.loki.pushes == []
        api.put(PAYMENT)
        await node.loki.entries(1)
        log.write(timed_out(2))
        await node.loki.entries(2)
    assert apps(node) == {(PAYMENT.name, "payment")}
    assert targets(agent, "found") == 1


async def test_a_pod_the_api_never_tells_of_is_named_by_its_path(
    node: Node, pod: Callable[..., LogWriter], api: ApiServer
) -> None:
    pods_wait(node, 0.05)
    pod("checkout-7d4b9c6f5d-x2x7k").write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)) as agent:
        (entry,) = await node.loki.entries(1)
    assert entry.labels["app"] == "checkout"
    assert "team" not in entry.labels
    assert targets(agent, "none") == 1


async def test_a_pod_that_is_deleted_while_it_is_waited_for_loses_nothing(
    node: Node, logged: Logged, api: ApiServer
) -> None:
    log = logged(PAYMENT)
    log.write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)) as agent:
        await api.until(lambda: api.watching)
        log.write(timed_out(2))
        log.rotate()
        log.write(timed_out(3))
        assert agent.status
        async with asyncio.timeout(10):
            while sum(file["open"] for target in agent.status.targets() for file in target["files"]) < 2:
                await asyncio.sleep(0)  # until both files are held
        log.delete()
        api.put(PAYMENT)
        await node.loki.entries(3)
    assert apps(node) == {(PAYMENT.name, "payment")}


@pytest.mark.parametrize("trouble", ["killed", "hanging", "forbidden", "unauthorized", "failing"])
async def test_an_api_in_trouble_from_the_start_holds_up_nothing(
    node: Node, logged: Logged, api: ApiServer, trouble: str
) -> None:
    pods_wait(node, 0.05)
    await bring_down(api, trouble)
    log = logged(PAYMENT)
    log.write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
        await bring_up(api)
        api.put(PAYMENT)
        api.put(LEDGER)
        logged(LEDGER).write(timed_out(2))
        log.write(timed_out(3))
        await node.loki.entries(3)
    assert (PAYMENT.name, "payment-service") in apps(node)
    assert len({(entry.labels["pod"], entry.labels["app"]) for entry in node.loki.stored()}) == 2


@pytest.mark.parametrize("trouble", ["killed", "hanging", "forbidden", "unauthorized", "failing"])
async def test_no_trouble_of_the_api_changes_a_label_that_was_sent(
    node: Node, logged: Logged, api: ApiServer, trouble: str
) -> None:
    api.put(PAYMENT)
    log = logged(PAYMENT)
    log.write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
        await api.until(lambda: api.watching)
        await bring_down(api, trouble)
        log.write(timed_out(2))
        log.rotate()
        log.write(timed_out(3))
        await node.loki.entries(3)
    pods_wait(node, 1e6)
    async with node.running(node.config(scrape=SCRAPE)):  # restarted while it is down: nobody is waited for
        log.restart()
        log.write(timed_out(4))
        await node.loki.entries(4)
        await bring_up(api)
        api.label(PAYMENT, app="renamed", team="others")
        await api.until(lambda: api.watching)
        log.write(timed_out(5))
        await node.loki.entries(5)
    assert len(node.loki.streams) == 1
    assert apps(node) == {(PAYMENT.name, "payment")}
    assert [entry.copies for entry in node.loki.stored()] == [1] * 5


async def bring_down(api: ApiServer, trouble: str) -> None:
    """Make the API fail from now on, and end the open watch."""
    match trouble:
        case "killed":
            await api.kill()
        case "hanging":
            api.fault = faults.hang()
        case "forbidden":
            api.forbids = {"list", "watch"}
        case "unauthorized":
            api.tokens = set()
        case "failing":
            api.fault = faults.status(500)
    api.end_watches()


async def bring_up(api: ApiServer) -> None:
    """End all faults; requests that hang go on hanging."""
    if not api.is_listening:
        await api.listen()
    api.fault, api.forbids, api.tokens = None, set(), {"secret"}
    api.break_watches()


async def test_the_labels_of_a_target_whose_pod_is_gone_outlive_a_restart(
    node: Node, logged: Logged, api: ApiServer
) -> None:
    api.put(PAYMENT)
    log = logged(PAYMENT)
    log.write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
    saved = json.loads(node.positions.read_bytes())["targets"]
    (fields,) = (target["fields"] for target in saved.values())
    assert (fields["app"], fields["team"], fields["node"]) == ("payment", "money", NODE)
    api.delete(PAYMENT)
    log.write(timed_out(2))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(2)
    assert len(node.loki.streams) == 1


async def test_a_target_that_is_waited_for_is_not_in_the_positions(node: Node, logged: Logged, api: ApiServer) -> None:
    logged(PAYMENT).write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await api.until(lambda: api.watching)
    assert json.loads(node.positions.read_bytes())["targets"] == {}
    api.put(PAYMENT)
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
    assert apps(node) == {(PAYMENT.name, "payment")}


async def test_once_waits_for_metadata_too(node: Node, logged: Logged, api: ApiServer) -> None:
    api.put(PAYMENT)
    logged(PAYMENT).write(timed_out(1))
    await node.once(node.config(scrape=SCRAPE))
    assert apps(node) == {(PAYMENT.name, "payment")}


async def test_a_static_pod_is_joined_by_its_configuration(
    node: Node, pod: Callable[..., LogWriter], api: ApiServer
) -> None:
    gateway = Pod(
        "edge", f"gateway-{NODE}", annotations={"kubernetes.io/config.hash": "0123abcd"}, owner=("Node", NODE)
    )
    api.put(gateway)
    pod(gateway.name, namespace=gateway.namespace, uid="0123abcd").write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
    assert apps(node) == {(gateway.name, "gateway")}


@pytest.mark.parametrize("node_address", ["10.0.0.1", "10.0.1.7"], ids=["a pod's", "the node's"])
async def test_a_line_of_ztunnel_that_names_an_address_is_of_the_pod_that_had_it(
    node: Node, logged: Logged, api: ApiServer, monkeypatch: pytest.MonkeyPatch, node_address: str
) -> None:
    monkeypatch.setenv("NODE_IP", node_address)
    node.api["api_timing"] = replace(FAST, catch_up=0.01)
    ztunnel = api.put(Pod("istio-system", "ztunnel-x2x7k", uid="uid-3", labels={"app": "ztunnel"}))
    api.put(replace(PAYMENT, address="10.0.1.7"))
    log = logged(ztunnel)
    async with node.running(node.config(scrape=SCRAPE + ", keep: mtls")) as agent, asyncio.timeout(20):
        while not (agent.workloads and agent.workloads.is_current):
            await asyncio.sleep(0.005)
        log.write(
            b"2026-11-30T10:00:00.000000Z\twarn\taccess\tconnection failed\tsrc.addr=10.0.9.9:5000 "
            b'dst.addr=10.0.1.7:15008 direction="inbound" error="tls handshake error: '
            b'Custom { kind: InvalidData, error: NoCertificatesPresented }"'
        )
        await node.loki.entries(1)
    (entry,) = node.loki.stored()
    known = node_address != "10.0.1.7"
    assert (entry.labels.get("app"), entry.labels.get("pod")) == (("payment", PAYMENT.name) if known else (None, None))


async def test_without_the_name_of_the_node_nothing_is_asked(
    node: Node, logged: Logged, api: ApiServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("NODE_NAME")
    logged(PAYMENT).write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
    assert api.asked == []
    assert "NODE_NAME is not set" in caplog.text
