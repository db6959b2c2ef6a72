"""The API server's stand-in takes what a well-behaved client asks, and notes what it should not."""

from typing import Any

import aiohttp
import orjson
import pytest

from lab.kubernetes import ApiServer
from lab.pods import Pod
from shipper.kubernetes.requests import METADATA, METADATA_LIST, TABLE

NODE = {"fieldSelector": "spec.nodeName=node-1"}
LIST = NODE | {"resourceVersion": "0"}
WATCH = NODE | {"watch": "1", "resourceVersion": "1000", "timeoutSeconds": "1"}


async def asked(query: dict[str, str], accept: str) -> tuple[int, list[str]]:
    async with (
        ApiServer() as api,
        aiohttp.ClientSession(api.url) as session,
        session.get("/api/v1/pods", params=query, headers={"Accept": accept}) as response,
    ):
        return response.status, api.violations


@pytest.mark.parametrize(
    ("query", "accept"), [(LIST, TABLE + METADATA_LIST), (WATCH, TABLE + METADATA)], ids=["list", "watch"]
)
async def test_what_is_asked_well_is_answered(query: dict[str, str], accept: str) -> None:
    assert await asked(query, accept) == (200, [])


@pytest.mark.parametrize(
    ("query", "accept", "why"),
    [
        ({"resourceVersion": "0"}, METADATA_LIST, "other nodes"),
        ({"fieldSelector": "spec.nodeName=", "resourceVersion": "0"}, METADATA_LIST, "one node"),
        (NODE | {"resourceVersion": ""}, METADATA_LIST, "the cache"),
        (NODE | {"resourceVersion": "7"}, METADATA_LIST, "the cache"),
        (WATCH, "application/json", "whole objects"),
        (LIST | {"includeObject": "Object"}, TABLE + METADATA_LIST, "whole objects"),
        (WATCH | {"resourceVersion": "0"}, METADATA, "no list or watch has told"),
        (WATCH | {"resourceVersion": "1001"}, METADATA, "no list or watch has told"),
        (NODE | {"watch": "1", "resourceVersion": "1000"}, METADATA, "timeoutSeconds"),
    ],
)
async def test_what_burdens_a_server_or_tells_too_much_is_noted(query: dict[str, str], accept: str, why: str) -> None:
    status, (violation,) = await asked(query, accept)
    assert status == 400
    assert why in violation


async def shown(api: ApiServer, query: dict[str, str], accept: str) -> Any:
    """The first line of a response."""
    async with (
        aiohttp.ClientSession(api.url) as session,
        session.get("/api/v1/pods", params=query, headers={"Accept": accept}) as response,
    ):
        return orjson.loads(await response.content.readuntil(b"\n") if "watch" in query else await response.read())


@pytest.mark.parametrize(
    ("accept", "kind"), [(TABLE + METADATA_LIST, "Table"), (METADATA_LIST, "PartialObjectMetadataList")]
)
async def test_a_list_has_the_form_that_was_asked_for_first(accept: str, kind: str) -> None:
    async with ApiServer() as api:
        assert (await shown(api, LIST, accept))["kind"] == kind
        api.forms = frozenset({"metadata"})
        assert (await shown(api, LIST, accept))["kind"] == "PartialObjectMetadataList"
        api.forms = frozenset()
        assert (await shown(api, LIST, accept))["kind"] == "PodList"


async def test_a_table_has_cells_and_metadata() -> None:
    async with ApiServer() as api:
        api.put(Pod("shop", "job-1", address="10.0.1.7", phase="Succeeded"))
        told = await shown(api, LIST, TABLE + METADATA_LIST)
        (row,) = told["rows"]
        named = dict(zip([column["name"] for column in told["columnDefinitions"]], row["cells"], strict=True))
    assert (named["IP"], named["Node"], named["Status"]) == ("10.0.1.7", "node-1", "Completed")
    assert row["object"]["metadata"]["name"] == "job-1"
    assert [condition["reason"] for condition in row["conditions"]] == ["Succeeded"]
