"""The API server's stand-in takes what a well-behaved client asks, and notes what it should not."""

import aiohttp
import pytest

from lab.kubernetes import ApiServer
from shipper.kubernetes.requests import METADATA, METADATA_LIST

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


@pytest.mark.parametrize(("query", "accept"), [(LIST, METADATA_LIST), (WATCH, METADATA)], ids=["list", "watch"])
async def test_what_is_asked_well_is_answered(query: dict[str, str], accept: str) -> None:
    assert await asked(query, accept) == (200, [])


@pytest.mark.parametrize(
    ("query", "accept", "why"),
    [
        ({"resourceVersion": "0"}, METADATA_LIST, "fieldSelector"),
        ({"fieldSelector": "spec.nodeName=", "resourceVersion": "0"}, METADATA_LIST, "other nodes"),
        (NODE | {"resourceVersion": ""}, METADATA_LIST, "the cache"),
        (NODE | {"resourceVersion": "7"}, METADATA_LIST, "the cache"),
        (WATCH, "application/json", "whole pods"),
        (WATCH | {"resourceVersion": "0"}, METADATA, "no list or watch has told"),
        (WATCH | {"resourceVersion": "1001"}, METADATA, "no list or watch has told"),
        (NODE | {"watch": "1", "resourceVersion": "1000"}, METADATA, "timeoutSeconds"),
    ],
)
async def test_what_burdens_a_server_or_tells_too_much_is_noted(query: dict[str, str], accept: str, why: str) -> None:
    status, (violation,) = await asked(query, accept)
    assert status == 400
    assert why in violation
