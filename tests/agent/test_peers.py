"""The mission's question, who tried to reach whom: a real Envoy, an API server's stand-in and the directory."""

import json
import re
from pathlib import Path

from lab.clients import Caller
from lab.kubernetes import ApiServer
from lab.loki import Received
from lab.mesh import Called, mesh
from lab.pods import Pod
from shipper.agent import Agent
from shipper.directory.clock import Clock
from shipper.explain.render import Style, as_text
from shipper.explain.report import explain
from shipper.reading.lines import Readable, read
from tests.agent.conftest import Node
from tests.deploy.queries import logql
from tests.directory.asked import asking

LEGACY = Caller("legacy-client", "plaintext HTTP, from outside the mesh", tls=False, ip="127.0.1.20")
POD = Pod("default", "legacy-client-7d4b9c6f5d-x2x7k", labels={"app": "legacy-client"}, address=LEGACY.ip)
NEXT = Pod("shop", "innocent-0", labels={"app": "innocent"}, address=LEGACY.ip)  # has the address afterwards


def peers(port: int) -> str:
    return (
        f", keep: mtls, peers: {{url: 'http://127.0.0.1:{port}', timeout: 10s}}, "
        "structured_metadata: [source_address, peer_kind, peer_pod, peer_node, peer_owner]"
    )


async def test_the_client_is_named_also_after_its_address_is_anothers(node: Node, tmp_path: Path) -> None:
    async with ApiServer(cluster_wide=True) as api, mesh(tmp_path) as scene:
        api.put(POD)
        async with asking(api, Clock(10**18)) as directory:
            await directory.settle()
            first = await scene.call(LEGACY)
            await directory.settle()
            api.delete(POD)
            api.put(NEXT)
            await directory.settle()
            second = await scene.call(LEGACY)
            await directory.settle()
            code, agent = await node.once(node.config(root=scene.pods, scrape=peers(directory.port)))
    assert code == 0
    assert [name_of(node, called) for called in (first, second)] == [
        ("default", "legacy-client", "pod", POD.name),
        ("shop", "innocent", "pod", NEXT.name),
    ]
    assert failures(agent) == {("default", "legacy-client"): 1.0, ("shop", "innocent"): 1.0}
    assert {entry.line for entry in of_dashboard(node, "legacy-client")} == {first.line}
    assert f"from {first.outcome.address}, which was pod {POD.name} in default" in explained(node, first)


def name_of(node: Node, called: Called) -> tuple[str, ...]:
    """What Loki has of the client of a call."""
    [entry] = [entry for entry in node.loki.stored() if entry.line == called.line]
    metadata = dict(entry.metadata)
    assert metadata["source_address"] == called.outcome.address
    return (
        entry.labels["peer_namespace"],
        entry.labels["peer_app"],
        metadata["peer_kind"],
        metadata["peer_pod"],
    )


def of_dashboard(node: Node, client: str) -> list[Received]:
    """What the dashboard's table of who called whom counts when this client is chosen."""
    dashboard = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "mtls-failures.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    chosen = [one for one in expressions if "$peer_app" in one]
    assert chosen
    selectors = {json.dumps(one) for expression in chosen for one in logql(expression).selectors}
    [selector] = [one for text in selectors if "peer_app" in (one := json.loads(text))]
    values = {"$job": "kubernetes-pods-istio-proxy", "$peer_app": client}
    wanted = {label: values.get(value, ".*") for label, (_, value) in selector.items()}
    return [
        entry
        for entry in node.loki.stored()
        if all(re.fullmatch(value, entry.labels.get(label, "")) for label, value in wanted.items())
    ]


def explained(node: Node, called: Called) -> str:
    """What `shipper explain` says of the line as Loki has it."""
    [entry] = [entry for entry in node.loki.stored() if entry.line == called.line]
    value = [str(entry.nanos), entry.line.decode(), {"structuredMetadata": dict(entry.metadata)}]
    [found] = read([json.dumps({"stream": entry.labels, "values": [value]}).encode()])
    assert isinstance(found, Readable)
    return as_text(explain(found), Style(200, color=False))


def failures(agent: Agent) -> dict[tuple[str, str], float]:
    """The counted failures, by the client's namespace and app."""
    counted: dict[tuple[str, str], float] = {}
    for sample in next(iter(agent.metrics.handshake_failures.collect())).samples:
        if sample.name.endswith("_total"):
            peer = sample.labels["peer_namespace"], sample.labels["peer_app"]
            counted[peer] = counted.get(peer, 0) + sample.value
    return counted
