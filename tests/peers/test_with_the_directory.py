"""The asking half against the directory itself, which watches an API server's stand-in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import faults
from lab.kubernetes import ApiServer
from lab.kubernetes_forms import Node
from lab.pods import Pod
from shipper.config import PeersConfig, Seconds
from shipper.metrics import Metrics
from shipper.peers.questions import Questions, questions
from tests.directory.asked import CLIENT, Asked, asking
from tests.peers.asked import away, requests, within

NEXT = Pod("shop", "cart-0", address=CLIENT.address)


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with ApiServer(cluster_wide=True) as server:
        server.put(CLIENT)
        yield server
    assert server.violations == []


@asynccontextmanager
async def agent(directory: Asked, **config: Any) -> AsyncIterator[tuple[Questions, Metrics]]:
    """What an agent asks of this directory."""
    metrics = Metrics()
    asks = questions(PeersConfig(url=f"http://127.0.0.1:{directory.port}", **config), metrics)
    task = asyncio.create_task(asks.run())
    try:
        yield asks, metrics
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_client_is_named_also_after_its_address_is_anothers(api: ApiServer) -> None:
    async with asking(api) as directory, agent(directory) as (asks, metrics):
        then = await directory.settle()
        await directory.settle()
        api.delete(CLIENT)
        api.put(NEXT)
        await directory.settle()
        now = await directory.settle()
        asked = [(CLIENT.address, then), (CLIENT.address, now), ("10.0.1.99", now)]
        assert await asks.learn(asked, within(20)) == ""
        first, second, third = (asks.address(*one) for one in asked)
        assert first
        assert second
        assert third
        assert first.fields == {
            "peer_kind": "pod",
            "peer_namespace": "default",
            "peer_app": "legacy",
            "peer_pod": CLIENT.name,
            "peer_node": "node-1",
            "peer_owner": "legacy-client",
        }
        assert (second.fields["peer_pod"], second.fields["peer_namespace"]) == ("cart-0", "shop")
        assert third.fields == {"peer_kind": "unknown", "reason": "never_seen"}
        assert first.start <= then < first.end <= second.start <= now < second.end
        # Of the address two times were asked about: one after the other, and no third time.
        assert await asks.learn([(CLIENT.address, then), (CLIENT.address, now)], within(20)) == ""
        assert requests(metrics) == {"answered": 2}


async def test_nodes_and_what_lies_outside_are_told_apart(api: ApiServer) -> None:
    api.put(Node("node-1", address="10.0.9.1"))
    async with asking(api, cluster_ranges=("10.0.0.0/8", "fd00::/8")) as directory, agent(directory) as (asks, _):
        at = await directory.settle()
        asked = [(address, at) for address in ("10.0.9.1", "203.0.113.9", "2001:db8::1")]
        assert await asks.learn(asked, within(20)) == ""
        found = [asks.address(*one) for one in asked]
        assert [answer and answer.fields for answer in found] == [
            {"peer_kind": "node", "peer_node": "node-1"},
            {"peer_kind": "external"},
            {"peer_kind": "external"},
        ]


async def test_an_address_that_has_just_changed_hands_is_nobodys(api: ApiServer) -> None:
    async with asking(api, margin=Seconds(10)) as directory, agent(directory) as (asks, _):
        await directory.settle()
        api.delete(CLIENT)
        api.put(NEXT)
        at = await directory.settle()
        await directory.settle()
        assert await asks.learn([(CLIENT.address, at)], within(20)) == ""
        answer = asks.address(CLIENT.address, at)
        assert answer
        assert answer.fields == {"peer_kind": "unknown", "reason": "changed_hands"}


async def test_what_is_too_recent_is_an_answer_for_its_time_alone(api: ApiServer) -> None:
    async with asking(api, wait=0.0) as directory, agent(directory) as (asks, _):
        await directory.settle()
        at = directory.knowledge.now() + 10**15
        assert await asks.learn([(CLIENT.address, at)], within(20)) == ""
        assert asks.address(CLIENT.address, at) == ({"peer_kind": "unknown", "reason": "too_recent"}, at, at + 1)
        assert asks.address(CLIENT.address, at + 1) is None


async def test_a_question_about_now_is_answered_once_now_is_known(api: ApiServer) -> None:
    async with asking(api, wait=20.0) as directory, agent(directory, timeout=Seconds(20)) as (asks, _):
        await directory.settle()
        at = directory.knowledge.now()
        line = asyncio.create_task(asks.learn([(CLIENT.address, at)], within(20)))
        while not line.done():
            await directory.turn()
        assert line.result() == ""
        answer = asks.address(CLIENT.address, at)
        assert answer
        assert answer.fields["peer_pod"] == CLIENT.name


async def test_a_directory_that_takes_few_questions_gets_few(api: ApiServer) -> None:
    async with asking(api, max_questions=10) as directory, agent(directory) as (asks, metrics):
        at = await directory.settle()
        asked = [(f"10.0.2.{number}", at) for number in range(50)]
        assert await asks.learn(asked, within(20)) == ""
        assert requests(metrics)["413"] >= 3  # 50, 25, 12
        assert away(metrics) == 0


async def test_only_with_its_token_is_anything_answered(api: ApiServer, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.write_text("right\n")
    ours.write_text("wrong\n")
    async with (
        asking(api, bearer_token_file=str(theirs)) as directory,
        agent(directory, bearer_token_file=str(ours)) as (asks, metrics),
    ):
        at = await directory.settle()
        assert await asks.learn([(CLIENT.address, at)], within(20)) == "refused"
        assert away(metrics) == 1
        ours.write_text("right\n")
        while away(metrics):  # until a probe comes by
            await directory.turn()
        answer = asks.address(CLIENT.address, at)  # that was what the probe asked
        assert answer
        assert answer.fields["peer_pod"] == CLIENT.name
        assert requests(metrics).keys() == {"401", "answered"}


async def test_before_its_first_lists_a_directory_is_away(api: ApiServer) -> None:
    api.fault = faults.status(500)
    async with asking(api) as directory, agent(directory) as (asks, metrics):
        assert await asks.learn([(CLIENT.address, 1)], within(20)) == "refused"
        assert requests(metrics).keys() == {"503"}
        assert away(metrics) == 1
        api.fault = None
        at = await directory.settle()
        while away(metrics):
            await directory.turn()
        assert await asks.learn([(CLIENT.address, at)], within(20)) == ""
