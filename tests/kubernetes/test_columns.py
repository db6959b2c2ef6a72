"""What a Table says beside the metadata, from a server that speaks Tables, speaks none, or stops to."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

import orjson
import pytest
from prometheus_client import CollectorRegistry, Counter

from lab import faults
from lab.kubernetes import ApiServer
from lab.kubernetes_forms import Form, Node
from lab.pods import Pod
from shipper.kubernetes.errors import ApiErrors, Without
from shipper.kubernetes.reflector import Reflector
from shipper.kubernetes.requests import Resource, pods_of
from shipper.kubernetes.rows import Row
from shipper.kubernetes.timing import ApiTiming
from tests.kubernetes.watching import FAST, connecting

POD = Pod("shop", "checkout-1", uid="u-1", address="10.0.1.7")
WANTED = ("IP", "Node", "Status")
PODS = Resource(path="/api/v1/pods", page=2, columns=WANTED)
NODES = Resource(path="/api/v1/nodes", columns=("Internal-IP",))


class Rows:
    """A store of the rows themselves, by uid."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.lists = 0
        self.states: list[str] = []
        self.told = asyncio.Event()

    def begin_list(self) -> set[str]:
        self.lists += 1
        return set(self.rows)

    def put(self, row: Row) -> list[str]:
        self.rows[row.metadata.uid] = row
        return [row.metadata.uid]

    def remove(self, row: Row) -> None:
        del self.rows[row.metadata.uid]

    def mark_deleted(self, names: Iterable[str]) -> None:
        for name in names:
            del self.rows[name]

    def follows(self) -> None:
        self.states.append("follows")
        self.told.set()

    def lost(self, seconds: float) -> None:
        self.states.append("in order" if not seconds else "broken")
        self.told.set()

    async def until(self, *states: str) -> None:
        """Wait until these were told, in this order."""
        async with asyncio.timeout(10):
            while self.states != list(states):
                self.told.clear()
                await self.told.wait()


class Following:
    """A store, and the reflector that fills it."""

    def __init__(
        self, api: ApiServer, resource: Resource, *, max_page: int = 1 << 20, timing: ApiTiming = FAST
    ) -> None:
        self.store, self._changed = Rows(), asyncio.Event()
        self._errors = Counter("errors", "", ["reason"], registry=CollectorRegistry())
        errors = ApiErrors(self._errors, Without("addresses", "they are unknown", "they are known"))
        connect = connecting(api)
        self._reflector = Reflector(resource, self.store, errors, self._changed.set, connect, timing, max_page=max_page)

    @property
    def failures(self) -> dict[str, float]:
        """How often each reason was counted."""
        (metric,) = self._errors.collect()
        return {one.labels["reason"]: one.value for one in metric.samples if one.name.endswith("_total")}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self._reflector.running():
            yield

    async def until(self, count: int) -> None:
        """Wait until this many objects are known."""
        async with asyncio.timeout(10):
            while len(self.store.rows) != count:
                await self.change()

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()
        self._changed.clear()

    async def cells(self, uid: str, *expected: str | None) -> None:
        """Wait until an object's cells are these."""
        async with asyncio.timeout(10):
            while (found := self.store.rows.get(uid)) is None or found.cells != expected:
                await self.change()


@pytest.fixture
async def wide() -> AsyncIterator[ApiServer]:
    """A server whose every object may be read."""
    async with ApiServer(cluster_wide=True) as server:
        yield server
    assert server.violations == []


async def test_cells_are_taken_by_the_names_of_their_columns(api: ApiServer) -> None:
    api.put(POD)
    following = Following(api, replace(pods_of("node-1"), columns=("Node", "no such column", "IP")))
    async with following.running():
        await following.cells("u-1", "node-1", None, "10.0.1.7")
        await api.until(lambda: api.watching)
        api.put(replace(POD, address="10.0.1.8"))
        await following.cells("u-1", "node-1", None, "10.0.1.8")


async def test_only_the_first_event_of_a_watch_names_the_columns(api: ApiServer) -> None:
    following = Following(api, pods_of("node-1"))
    async with following.running():
        for turn in range(3):
            await api.until(lambda: api.watching)
            api.bookmark()
            for number in range(3):
                api.put(replace(POD, uid=f"u-{number}", address=f"10.0.{turn}.{number}"))
            for number in range(3):
                await following.cells(f"u-{number}", f"10.0.{turn}.{number}")
            api.end_watches()
            await api.until(lambda: api.verbs().count("watch") == turn + 2)  # noqa: B023
        assert api.verbs().count("list") == 1


async def test_an_address_that_is_none_is_none_and_a_pod_that_has_ended_says_so(api: ApiServer) -> None:
    api.put(replace(POD, address=""))
    following = Following(api, pods_of("node-1"))
    async with following.running():
        await following.cells("u-1", "")
        assert not following.store.rows["u-1"].completed
        await api.until(lambda: api.watching)
        api.put(replace(POD, phase="Failed"))
        await following.cells("u-1", "10.0.1.7")
        assert following.store.rows["u-1"].completed


@pytest.mark.parametrize("forms", [frozenset({"metadata"}), frozenset()], ids=["metadata alone", "whole objects"])
async def test_a_server_without_tables_says_no_cells_and_that_is_said_once(
    api: ApiServer, forms: frozenset[Form], caplog: pytest.LogCaptureFixture
) -> None:
    api.forms = forms
    api.put(POD)
    following = Following(api, pods_of("node-1"))
    async with following.running():
        await following.cells("u-1", None)
        await api.until(lambda: api.watching)
        api.put(replace(POD, uid="u-2"))
        await following.cells("u-2", None)
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "not as a Table" in said
    assert "IP" in said
    assert not following.failures


async def test_columns_that_were_never_named_are_unknown(api: ApiServer) -> None:
    following = Following(api, pods_of("node-1"))
    row = {"cells": ["a", "10.0.1.7"], "object": {"metadata": {"uid": "u-1"}}}
    async with following.running():
        await api.until(lambda: api.watching)
        event = {"type": "ADDED", "object": {"kind": "Table", "metadata": {}, "columnDefinitions": None, "rows": [row]}}
        api.say(orjson.dumps(event) + b"\n")
        await following.cells("u-1", None)


@pytest.mark.parametrize(("cell", "expected"), [(7, "7"), (None, None), ("", "")])
async def test_a_cell_need_not_be_text(api: ApiServer, cell: object, expected: str | None) -> None:
    row = {"cells": [cell], "object": {"metadata": {"uid": "u-1"}}}
    table = {"metadata": {"resourceVersion": "1000"}, "columnDefinitions": [{"name": "IP"}], "rows": [row]}
    api.script += [faults.status(200, orjson.dumps(table).decode())]
    following = Following(api, pods_of("node-1"))
    async with following.running():
        await following.cells("u-1", expected)


async def test_a_row_that_makes_no_sense_is_passed_over(api: ApiServer) -> None:
    rows = [{"cells": 7}, {"cells": [], "object": {"metadata": {"uid": "u-1"}}}]
    table = {"metadata": {"resourceVersion": "1000"}, "columnDefinitions": [{"name": "IP"}], "rows": rows}
    api.script += [faults.status(200, orjson.dumps(table).decode())]
    following = Following(api, pods_of("node-1"))
    async with following.running():
        await following.cells("u-1", None)  # fewer cells than columns
    assert following.failures == {"malformed": 1}


# Whether all is known


@pytest.mark.parametrize("ends", ["in order", "broken"])
async def test_it_is_told_when_all_changes_are_known_and_when_they_are_not_any_more(api: ApiServer, ends: str) -> None:
    following = Following(api, pods_of("node-1"), timing=replace(FAST, catch_up=0.05))
    async with following.running():
        await following.store.until("follows")
        api.end_watches() if ends == "in order" else api.break_watches()
        await following.store.until("follows", ends, "follows")


async def test_a_watch_that_ends_before_it_has_caught_up_says_nothing(api: ApiServer) -> None:
    following = Following(api, pods_of("node-1"), timing=replace(FAST, catch_up=1e6))
    async with following.running():
        await api.until(lambda: api.watching)
        api.end_watches()
        await api.until(lambda: api.verbs().count("watch") == 2)
    assert following.store.states == []


# Of the whole cluster


async def test_all_pods_are_listed_page_by_page_and_watched_from_there(wide: ApiServer) -> None:
    for number in range(5):
        wide.put(Pod("shop", f"pod-{number}", node=f"node-{number}", uid=f"u-{number}", address=f"10.0.1.{number}"))
    following = Following(wide, PODS, max_page=60_000)  # of bytes at once
    async with following.running():
        await following.until(5)
        await wide.until(lambda: wide.watching)
        wide.put(POD)
        await following.cells("u-1", "10.0.1.7", "node-1", "Running")
    assert following.store.rows["u-4"].cells == ("10.0.1.4", "node-4", "Running")
    assert wide.verbs() == ["list"] * 3 + ["watch"]
    assert [asked.query.get("limit") for asked in wide.asked] == ["2", "2", "2", None]


async def test_pages_of_a_version_that_is_gone_are_begun_again_and_what_is_gone_is_noticed(wide: ApiServer) -> None:
    pods = [wide.put(Pod("shop", f"pod-{number}", uid=f"u-{number}")) for number in range(5)]

    async def compacted(_: faults.Arrival) -> None:
        wide.delete(pods[0])
        wide.forget()

    async def nothing(_: faults.Arrival) -> None: ...

    wide.script += [nothing, compacted]
    following = Following(wide, PODS)
    async with following.running():
        await wide.until(lambda: wide.watching)
        await following.until(4)
    assert wide.verbs() == ["list"] * 4 + ["watch"]
    assert following.failures == {"410": 1}
    assert following.store.lists == 2


async def test_nodes_have_their_addresses(wide: ApiServer) -> None:
    wide.put(Node("node-1", "10.0.0.1"))
    wide.put(POD)
    following = Following(wide, NODES)
    async with following.running():
        await following.cells("node-node-1", "10.0.0.1")
        await wide.until(lambda: wide.watching)
        wide.put(Node("node-2", "10.0.0.2"))
        await following.cells("node-node-2", "10.0.0.2")
    assert len(following.store.rows) == 2
