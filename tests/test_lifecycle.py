"""In which order parts stop, whoever ends first."""

import asyncio

import pytest

from shipper.lifecycle import DRAIN, End, run_parts


class Parts:
    """Reading, delivery and saving that write down what becomes of them."""

    def __init__(self, broken: str = "") -> None:
        self.told: list[str] = []
        self.stopping = asyncio.Event()
        self.settles = asyncio.Event()
        self.read_all = asyncio.Event()
        self.stuck: list[float] = []  # what `stuck_for` is, one after the other; the last stays
        self._broken = broken
        self._closed = asyncio.Event()

    async def _live(self, name: str, end: asyncio.Event) -> None:
        if name == self._broken:
            raise RuntimeError(name)
        try:
            await end.wait()
        finally:
            self.told.append(name)

    # -- the delivery

    @property
    def stuck_for(self) -> float:
        if not self.stuck:
            return 0.0
        return self.stuck.pop(0) if len(self.stuck) > 1 else self.stuck[0]

    async def run(self) -> None:
        await self._live("delivery", self._closed)

    def flush(self) -> None:
        self.told.append("flush")

    async def drained(self) -> None:
        await self.settles.wait()

    async def close(self, within: float) -> None:
        self.told.append(f"close within {within:g} s")
        self._closed.set()
        await asyncio.sleep(0)

    async def ended(self, patience: float | None = None) -> End:
        reading, saving = self._live("reading", self.read_all), self._live("saving", asyncio.Event())
        async with asyncio.timeout(20):
            return await run_parts(reading, self, saving, stopping=self.stopping, patience=patience)


async def test_reading_stops_first_then_the_delivery_and_at_last_saving() -> None:
    parts = Parts()
    parts.stopping.set()
    assert await parts.ended() is End.STOPPED
    assert parts.told == ["reading", f"close within {DRAIN:g} s", "delivery", "saving"]


async def test_with_patience_it_ends_when_all_is_read_and_settled() -> None:
    parts = Parts()
    parts.read_all.set()
    parts.settles.set()
    assert await parts.ended(patience=60.0) is End.DELIVERED
    assert parts.told[:2] == ["reading", "flush"]


async def test_it_gives_up_when_nothing_is_settled_and_waits_for_no_request_then() -> None:
    parts = Parts()
    parts.read_all.set()
    parts.stuck = [0.0, 0.01]
    assert await parts.ended(patience=0.01) is End.GAVE_UP
    assert "close within 0 s" in parts.told


async def test_something_that_is_settled_now_and_then_is_waited_for() -> None:
    parts = Parts()
    parts.read_all.set()
    asyncio.get_running_loop().call_later(0.03, parts.settles.set)
    assert await parts.ended(patience=0.01) is End.DELIVERED


@pytest.mark.parametrize("broken", ["reading", "delivery", "saving"])
@pytest.mark.parametrize("patience", [None, 60.0])
async def test_a_part_that_fails_ends_the_others(broken: str, patience: float | None) -> None:
    parts = Parts(broken)
    with pytest.raises(BaseExceptionGroup) as failed:
        await parts.ended(patience)
    assert failed.group_contains(RuntimeError, match=broken)
    assert not failed.group_contains(TimeoutError)


async def test_without_a_delivery_it_ends_when_all_is_read() -> None:
    end = await run_parts(asyncio.sleep(0), None, None, stopping=asyncio.Event(), patience=60.0)
    assert end is End.DELIVERED
