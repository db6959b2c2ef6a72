"""The agent and the Kubernetes API: labels come from it, and nothing else depends on it."""

import asyncio
import json
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from lab import faults
from lab.kubernetes import ApiServer
from lab.lines import timed_out
from lab.pods import Pod
from shipper.source import reader
from shipper.source.kubernetes import client, pod_watch, pods

NODE = "node-1"
SCRAPE = ", kubernetes: true, pod_labels: {team: team}"
PAYMENT = Pod("shop", "payment-service-7d4b9c6f5d-x2x7k", uid="uid-1", labels={"app": "payment", "team": "money"})
LEDGER = Pod("shop", "ledger-0", uid="uid-2", labels={"app": "ledger", "team": "books"})


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Waits shortened; what they wait for is not."""
    for name, value in {
        "START": 0.0,
        "AGAIN": (0.0, 0.01),
        "FIRST_WAIT": 0.01,
        "LONGEST_WAIT": 0.05,
        "LONGEST_SEARCH": 0.05,
    }.items():
        monkeypatch.setattr(pod_watch, name, value)
    monkeypatch.setattr(reader, "TICK", 0.05)


@pytest.fixture
async def api(tmp_path: Path, monkeypatch) -> AsyncIterator[ApiServer]:
    """An API server, and this process in a pod of its cluster."""
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    (tmp_path / "token").write_text("secret")
    (tmp_path / "ca.crt").write_bytes(authority.cert_pem.bytes())
    async with ApiServer(context=context, tokens={"secret"}) as server:
        host, port = server.address
        where = client._config.incluster_config
        monkeypatch.setattr(where, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
        monkeypatch.setattr(where, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        monkeypatch.setenv("NODE_NAME", NODE)
        yield server
    assert server.violations == []


@pytest.fixture
def logged(pod):
    """The log of a pod that the API knows."""
    return lambda of: pod(of.name, namespace=of.namespace, uid=of.uid)


def apps(node) -> set[tuple[str, str]]:
    """Pod and app of everything that Loki has."""
    return {(entry.labels["pod"], entry.labels["app"]) for entry in node.loki.stored()}


async def test_labels_come_from_the_api(node, logged, api):
    api.put(PAYMENT)
    logged(PAYMENT).write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        (entry,) = await node.loki.entries(1)
    assert (entry.labels["app"], entry.labels["team"], entry.labels["service_name"]) == ("payment", "money", "payment")


async def test_a_log_that_is_there_before_its_pod_is_known_waits_for_it(node, logged, api):
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
    assert agent.metrics.kubernetes_targets.labels(metadata="found")._value.get() == 1


async def test_a_pod_the_api_never_tells_of_is_named_by_its_path(node, pod, api, monkeypatch):
    monkeypatch.setattr(pods, "WAIT", 0.05)
    pod("checkout-7d4b9c6f5d-x2x7k").write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)) as agent:
        (entry,) = await node.loki.entries(1)
    assert entry.labels["app"] == "checkout"
    assert "team" not in entry.labels
    assert agent.metrics.kubernetes_targets.labels(metadata="none")._value.get() == 1


async def test_a_pod_that_is_deleted_while_it_is_waited_for_loses_nothing(node, logged, api):
    log = logged(PAYMENT)
    log.write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)) as agent:
        await api.until(lambda: api.watching)
        log.write(timed_out(2))
        log.rotate()
        log.write(timed_out(3))
        async with asyncio.timeout(10):
            while sum(tailer.is_open for one in agent.reader.followers.values() for tailer in one.files.tailers) < 2:
                await asyncio.sleep(0)  # until both files are held
        log.delete()
        api.put(PAYMENT)
        await node.loki.entries(3)
    assert apps(node) == {(PAYMENT.name, "payment")}


@pytest.mark.parametrize("trouble", ["killed", "hanging", "forbidden", "unauthorized", "failing"])
async def test_an_api_in_trouble_from_the_start_holds_up_nothing(node, logged, api, trouble, monkeypatch):
    monkeypatch.setattr(pods, "WAIT", 0.05)
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
async def test_no_trouble_of_the_api_changes_a_label_that_was_sent(node, logged, api, trouble, monkeypatch):
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
    monkeypatch.setattr(pods, "WAIT", 1e6)
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
    """From now on the API is of no use, and the watch that was open is at its end."""
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
    """All is well again; requests that hang are left to hang."""
    if not api._site:
        await api.listen()
    api.fault, api.forbids, api.tokens = None, set(), {"secret"}
    api.break_watches()


async def test_the_labels_of_a_target_whose_pod_is_gone_outlive_a_restart(node, logged, api):
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


async def test_a_target_that_is_waited_for_is_not_in_the_positions(node, logged, api):
    logged(PAYMENT).write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await api.until(lambda: api.watching)
    assert json.loads(node.positions.read_bytes())["targets"] == {}
    api.put(PAYMENT)
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
    assert apps(node) == {(PAYMENT.name, "payment")}


async def test_once_waits_for_metadata_too(node, logged, api):
    api.put(PAYMENT)
    logged(PAYMENT).write(timed_out(1))
    await node.once(node.config(scrape=SCRAPE))
    assert apps(node) == {(PAYMENT.name, "payment")}


async def test_a_static_pod_is_joined_by_its_configuration(node, pod, api):
    gateway = Pod(
        "edge", f"gateway-{NODE}", annotations={"kubernetes.io/config.hash": "0123abcd"}, owner=("Node", NODE)
    )
    api.put(gateway)
    pod(gateway.name, namespace=gateway.namespace, uid="0123abcd").write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
    assert apps(node) == {(gateway.name, "gateway")}


async def test_without_the_name_of_the_node_nothing_is_asked(node, logged, api, monkeypatch, caplog):
    monkeypatch.delenv("NODE_NAME")
    logged(PAYMENT).write(timed_out(1))
    async with node.running(node.config(scrape=SCRAPE)):
        await node.loki.entries(1)
    assert api.asked == []
    assert "NODE_NAME is not set" in caplog.text


async def test_the_client_is_not_imported_where_it_is_not_used():
    program = (
        "import sys, shipper.agent; assert not any('kubernetes_asyncio' in name for name in sys.modules);"
        "import shipper.source.kubernetes.pod_watch, shipper.source.kubernetes.client as client;"
        "assert client._client.ApiClient and client._config.load_incluster_config;"
        "assert not hasattr(client._client, 'CoreV1Api'), 'all of it was imported';"
        "assert 'kubernetes_asyncio.client' not in sys.modules;"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0
