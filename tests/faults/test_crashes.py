"""SIGKILL at random moments while Loki fails: no line is lost, none is shown twice."""

import pytest

from soak.crashes import crashes


@pytest.mark.parametrize("seed", [1, 2])
async def test_five_kills_at_random_moments_lose_nothing_and_show_nothing_twice(seed: int) -> None:
    async with crashes(seed) as trouble:
        outcome = await trouble.run(5, print)
    assert outcome.is_fine, outcome
    assert outcome.verdict.expected > 100
