"""Whatever a directory does, in whatever order: nobody waits beyond a deadline, and no answer is about another time."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.peers.errors import AWAY, BAD_ANSWER, FORGOTTEN, REFUSED, TIMEOUT, NoAnswer
from shipper.pipeline.workloads import Answer
from tests.peers.asked import CLIENT, Directory, asking, away, now, virtually

ADDRESSES = st.sampled_from(["10.0.1.20", "10.0.1.21", "10.0.1.22", "fd00::20", "-"])
QUESTIONS = st.lists(st.tuples(ADDRESSES, st.integers(0, 30)), max_size=8)
SECONDS = st.sampled_from([0.0, 0.005, 0.02, 0.3, 1.0, 2.0, 5.0])
FAILURES = (
    NoAnswer("connection", AWAY, "connection refused"),
    NoAnswer("timeout", TIMEOUT, "no answer"),
    NoAnswer("401", REFUSED, "status 401"),
    NoAnswer("413", REFUSED, "status 413"),
    NoAnswer("bad_answer", BAD_ANSWER, "not an answer"),
)


@dataclass(frozen=True)
class Line:
    """Somebody who asks after a while, waits so long and may be cancelled before."""

    after: float
    questions: Sequence[tuple[str, int]]
    timeout: float
    cancelled_after: float | None


LINES = st.lists(st.builds(Line, SECONDS, QUESTIONS, SECONDS, st.none() | SECONDS), min_size=1, max_size=12)


class Moody(Directory):
    """Takes any time and fails in any way, by chance."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__(self._said)
        self._chance, self.is_well = chance, False
        self.said: dict[str, list[Answer]] = {}
        self.asked_now: list[str] = []  # addresses with a question under way

    def _said(self, address: str, at: int) -> Answer | None:
        if not self.is_well and self._chance.random() < 0.2:
            return None
        answer = Answer(CLIENT, at - self._chance.randrange(10), at + 1 + self._chance.randrange(10))
        self.said.setdefault(address, []).append(answer)
        return answer

    async def ask(self, questions: Sequence[tuple[str, int]]) -> list[Answer | None]:
        addresses = [address for address, _ in questions]
        self.asked_now += addresses
        assert len(set(self.asked_now)) == len(self.asked_now), "an address is asked about twice at a time"
        self.takes, self.failure = 0.0, None
        if not self.is_well:
            self.takes = self._chance.choice([0.0, 0.01, 0.5, 1.5, 5.0])
            self.failure = self._chance.choice(FAILURES) if self._chance.random() < 0.4 else None
        try:
            return await super().ask(questions)
        finally:
            for address in addresses:
                self.asked_now.remove(address)


@given(LINES, st.randoms(use_true_random=False))
def test_all_return_by_their_deadline_with_answers_about_the_asked_time(
    lines: list[Line], chance: random.Random
) -> None:
    async def main() -> None:
        directory = Moody(chance)
        async with asking(directory, spans=12, spans_of_address=3) as (questions, _):

            async def wait(line: Line) -> None:
                await asyncio.sleep(line.after)
                deadline = now() + line.timeout
                missing = await questions.learn(line.questions, deadline)
                assert now() <= deadline + 1e-6
                assert missing in ("", TIMEOUT, AWAY, REFUSED, BAD_ANSWER, FORGOTTEN)
                known = [questions.address(*one) for one in line.questions]
                assert (None in known) == bool(missing)
                for (address, at), answer in zip(line.questions, known, strict=True):
                    if answer is not None:
                        assert answer.start <= at < answer.end
                        assert address == "-" or answer in directory.said[address]

            waiting = [asyncio.create_task(wait(line)) for line in lines]
            for task, line in zip(waiting, lines, strict=True):
                if line.cancelled_after is not None:
                    asyncio.get_running_loop().call_later(line.cancelled_after, task.cancel)
            await asyncio.wait(waiting)
            for task in waiting:
                assert task.cancelled() or task.exception() is None, task.exception()

    virtually(main)


@given(LINES, st.randoms(use_true_random=False))
def test_after_any_trouble_a_directory_that_is_well_answers_all(lines: list[Line], chance: random.Random) -> None:
    async def main() -> None:
        directory = Moody(chance)
        async with asking(directory) as (questions, metrics):
            for line in lines:
                await questions.learn(line.questions, now() + line.timeout)
            directory.is_well = True
            await asyncio.sleep(40)
            assert away(metrics) == 0
            asked = [(f"10.0.9.{number}", 5) for number in range(5)]
            begun = now()
            assert await questions.learn(asked, now() + 2) == ""
            assert now() - begun == pytest.approx(0, abs=0.5)

    virtually(main)
