"""An API server's stand-in over plain HTTP."""

from collections.abc import AsyncIterator

import pytest

from lab.kubernetes import ApiServer


@pytest.fixture
async def api() -> AsyncIterator[ApiServer]:
    async with ApiServer() as server:
        yield server
    assert server.violations == []
