"""What waits for its peers is released in its order, in time, and never lost."""

import asyncio
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.model import Columns
from shipper.pipeline.peers import NO_PEER, Asked
from shipper.pipeline.result import Result, Unanswered
from shipper.source.peer_wait import PeerWait


class Asking:
    """Takes questions; the answers come when they are told to."""

    def __init__(self) -> None:
        self.questions: list[Sequence[tuple[str, int]]] = []
        self.deadlines: list[float] = []
        self.answers: list[asyncio.Future[str]] = []
        self.came = asyncio.Event()

    async def learn(self, questions: Sequence[tuple[str, int]], deadline: float) -> str:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.questions.append(questions)
        self.deadlines.append(deadline)
        self.answers.append(answer)
        self.came.set()
        return await answer

    async def asked(self, count: int) -> None:
        while len(self.answers) < count:
            self.came.clear()
            await self.came.wait()


def unanswered(*addresses: str) -> Result:
    lines = [Unanswered(Asked(address, 5), None, 100, lambda peer, found: None) for address in addresses]
    return Result(unanswered=lines)


def known() -> Result:
    return Result(streams={"{}": Columns([1], [b"x"])})


Released = list[tuple[str, int, str]]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=12).flatmap(
        lambda held: st.tuples(st.just(held), st.permutations(range(sum(waits for _, waits in held))))
    )
)
def test_each_target_is_released_in_order_whatever_is_answered_first(
    case: tuple[list[tuple[str, bool]], list[int]],
) -> None:
    asyncio.run(_in_any_order(*case))


async def _in_any_order(held: list[tuple[str, bool]], order: list[int]) -> None:
    asking, released = Asking(), Released()
    expected: dict[str, list[int]] = {}

    def note(target: str, number: int, result: Result, missing: str) -> None:
        released.append((target, number, missing))

    async with PeerWait(asking.learn, 2.0) as wait:
        for number, (target, waits) in enumerate(held):
            result = unanswered("10.0.0.1") if waits else known()
            if wait.must_hold(target, result):
                expected.setdefault(target, []).append(number)
                wait.hold(target, result, partial(note, target, number))
        await asking.asked(len(order))
        for at in order:
            asking.answers[at].set_result(f"reason {at}")
    for target in "ab":
        assert [at for name, at, _ in released if name == target] == expected.get(target, [])
    reasons = {why for _, at, why in released if held[at][1]}
    assert reasons == {f"reason {at}" for at in order}


async def test_each_question_is_asked_once_with_the_time_that_is_left() -> None:
    asking, loop = Asking(), asyncio.get_running_loop()
    async with PeerWait(asking.learn, 2.0) as wait:
        before = loop.time()
        wait.hold("a", unanswered("10.0.0.1", "10.0.0.2", "10.0.0.1"), lambda result, missing: None)
        await asking.asked(1)
        assert asking.questions == [[("10.0.0.1", 5), ("10.0.0.2", 5)]]
        assert before + 2.0 <= asking.deadlines[0] <= loop.time() + 2.0
        asking.answers[0].set_result("")


async def test_a_result_behind_none_that_waits_need_not_wait() -> None:
    asking = Asking()
    async with PeerWait(asking.learn, 2.0) as wait:
        assert not wait.must_hold("a", known())
        wait.hold("a", unanswered("10.0.0.1"), lambda result, missing: None)
        assert wait.must_hold("a", known())
        assert not wait.must_hold("a", Result(lines=3))
        assert not wait.must_hold("b", known())
        await asking.asked(1)
        asking.answers[0].set_result("")


async def test_a_line_whose_peer_is_known_is_not_asked_about() -> None:
    asking = Asking()
    result = unanswered("10.0.0.1")
    result.unanswered.append(Unanswered(Asked("10.0.0.2", 5), NO_PEER, 100, lambda peer, found: None))
    async with PeerWait(asking.learn, 2.0) as wait:
        wait.hold("a", result, lambda result, missing: None)
        await asking.asked(1)
        asking.answers[0].set_result("")
    assert asking.questions == [[("10.0.0.1", 5)]]


async def test_an_error_of_a_release_is_not_silent() -> None:
    def broken(result: Result, missing: str) -> None:
        raise RuntimeError("a bug")

    async def held() -> None:
        asking = Asking()
        async with PeerWait(asking.learn, 2.0) as wait:
            wait.hold("a", unanswered("10.0.0.1"), broken)
            await asking.asked(1)
            asking.answers[0].set_result("")

    with pytest.raises(ExceptionGroup, match="unhandled"):
        await held()
