import asyncio

import pytest

from lab import clients
from lab.mesh import Called, mesh


@pytest.fixture(scope="session")
def called(tmp_path_factory: pytest.TempPathFactory) -> list[Called]:
    """One call of each client to a real Envoy, which has ended since."""

    async def all_clients() -> list[Called]:
        async with mesh(tmp_path_factory.mktemp("mesh")) as scene:
            made = scene.certificates
            callers = (*clients.failing(made), clients.healthy(made), clients.impatient(made))
            return [await scene.call(caller) for caller in callers]

    return asyncio.run(all_clients())
