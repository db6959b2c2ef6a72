"""An API server's stand-in that shows a whole cluster."""

from collections.abc import AsyncIterator

import pytest

from lab.kubernetes import ApiServer


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with ApiServer(cluster_wide=True) as server:
        yield server
    assert server.violations == []
