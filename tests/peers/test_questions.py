"""What is asked when, and how long anybody waits for it. All time is virtual."""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest

from shipper.peers.errors import NoAnswer
from shipper.pipeline.workloads import FOREVER, Answer
from tests.peers.asked import ADDRESS, CLIENT, TIMING, Directory, asking, away, now, requests, virtually, within

GONE = NoAnswer("connection", "away", "connection refused")
FORBIDDEN = NoAnswer("401", "refused", "status 401")
AT = 1_000


def both(*waiting: Coroutine[Any, Any, str]) -> "asyncio.Future[list[str]]":
    return asyncio.gather(*waiting)


def test_what_was_answered_is_known_for_its_span_and_no_longer() -> None:
    async def main() -> None:
        directory = Directory(lambda _, at: Answer(CLIENT, at - 10, at + 5))
        async with asking(directory) as (questions, metrics):
            assert questions.address(ADDRESS, AT) is None
            assert await questions.learn([(ADDRESS, AT)], within(2)) == ""
            assert questions.address(ADDRESS, AT) == Answer(CLIENT, AT - 10, AT + 5)
            known = {at for at in range(AT - 20, AT + 20) if questions.address(ADDRESS, at)}
            assert known == set(range(AT - 10, AT + 5))
            assert await questions.learn([(ADDRESS, AT + 4)], within(2)) == ""
            assert directory.asked == [[(ADDRESS, AT)]]
            assert requests(metrics) == {"answered": 1}

    virtually(main)


def test_what_is_asked_at_about_one_time_goes_in_one_request() -> None:
    async def main() -> None:
        directory = Directory()
        async with asking(directory, questions=100) as (questions, _):
            lines = [questions.learn([(f"10.0.0.{number}", AT)], within(2)) for number in range(50)]
            assert set(await both(*lines)) == {""}
            assert len(directory.asked) == 1

    virtually(main)


def test_no_request_has_more_questions_than_it_may_and_no_more_are_under_way() -> None:
    async def main() -> None:
        directory = Directory(takes=0.1)
        async with asking(directory) as (questions, _):
            asked = [(f"10.0.0.{number}", AT) for number in range(50)]
            assert await questions.learn(asked, within(2)) == ""
            assert max(map(len, directory.asked)) == TIMING.questions
            assert directory.most_under_way == TIMING.requests
            assert Counter(one for batch in directory.asked for one in batch) == Counter(asked)

    virtually(main)


def test_one_question_of_an_address_is_under_way_and_the_others_wait_for_its_answer() -> None:
    async def main() -> None:
        directory = Directory(lambda _, at: Answer(CLIENT, at - 100, at + 1), takes=0.1)
        async with asking(directory) as (questions, _):
            first = asyncio.create_task(questions.learn([(ADDRESS, AT)], within(2)))
            await asyncio.sleep(0.05)
            others = [questions.learn([(ADDRESS, at)], within(2)) for at in (AT - 7, AT + 50, AT + 60, AT + 500)]
            assert await both(*others) == [""] * 4
            assert await first == ""
            # AT - 7 is answered with the first, and AT + 50 with that about the latest that its span reaches.
            assert directory.asked == [[(ADDRESS, AT)], [(ADDRESS, AT + 500)], [(ADDRESS, AT + 60)]]
            assert directory.most_under_way == 1

    virtually(main)


def test_an_address_that_waits_for_its_answer_keeps_no_other_waiting() -> None:
    async def main() -> None:
        directory = Directory(takes=1.5)
        async with asking(directory) as (questions, _):
            first = asyncio.create_task(questions.learn([(ADDRESS, AT)], within(2)))
            await asyncio.sleep(0.5)
            assert await questions.learn([("10.0.1.21", AT)], within(1.6)) == ""
            assert await first == ""

    virtually(main)


def test_nobody_waits_beyond_the_deadline_and_a_late_answer_is_remembered() -> None:
    async def main() -> None:
        directory = Directory(takes=3.0)
        async with asking(directory) as (questions, _):
            begun = now()
            assert await questions.learn([(ADDRESS, AT)], within(2)) == "timeout"
            assert now() - begun == pytest.approx(2)
            await asyncio.sleep(2)
            assert questions.address(ADDRESS, AT) == Answer(CLIENT, 0, AT + 1)

    virtually(main)


def test_what_nobody_waits_for_any_more_is_not_asked() -> None:
    async def main() -> None:
        directory = Directory(takes=1.0)
        async with asking(directory, requests=1) as (questions, _):
            first = asyncio.create_task(questions.learn([(ADDRESS, AT)], within(2)))
            await asyncio.sleep(0.1)
            assert await questions.learn([("10.0.1.21", AT)], within(0.1)) == "timeout"
            given_up = asyncio.create_task(questions.learn([("10.0.1.22", AT)], within(2)))
            await asyncio.sleep(0.1)
            given_up.cancel()
            assert await first == ""
            await asyncio.sleep(5)
            assert directory.asked == [[(ADDRESS, AT)]]

    virtually(main)


def test_a_failure_is_tried_again_while_the_line_waits() -> None:
    async def main() -> None:
        directory = Directory(takes=0.05)
        directory.failure = GONE
        async with asking(directory) as (questions, metrics):
            line = asyncio.create_task(questions.learn([(ADDRESS, AT)], within(2)))
            await asyncio.sleep(0.07)
            directory.failure = None
            assert await line == ""
            assert requests(metrics) == {"connection": 1, "answered": 1}
            assert away(metrics) == 0

    virtually(main)


def test_after_some_failures_nobody_waits_and_one_probe_at_a_time_finds_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def main() -> None:
        directory = Directory()
        directory.failure = GONE
        async with asking(directory) as (questions, metrics):
            begun = now()
            assert await questions.learn([(ADDRESS, AT)], within(2)) == "away"
            assert now() - begun < 1
            assert len(directory.asked) == TIMING.failures
            assert away(metrics) == 1
            for number in range(100):
                begun = now()
                assert await questions.learn([(f"10.0.2.{number}", AT)], within(2)) == "away"
                assert now() == begun
                await asyncio.sleep(0.6)
            probes = directory.asked[TIMING.failures :]
            assert {len(probe) for probe in probes} == {1}
            assert 3 <= len(probes) <= 40  # in a minute, with back-off up to ten seconds
            assert directory.most_under_way == 1
            directory.failure = None
            await asyncio.sleep(TIMING.longest_backoff)
            assert away(metrics) == 0
            assert questions.address("10.0.2.99", AT)  # the probe was a real question
            assert await questions.learn([("10.0.3.1", AT)], within(2)) == ""

    virtually(main)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "connection refused" in warnings[0].message
    assert [record.message for record in caplog.records][-1] == "peers: the directory answers again"


def test_a_failure_holds_back_what_was_about_to_be_asked() -> None:
    async def main() -> None:
        directory = Directory(takes=0.005)
        directory.failure = GONE
        async with asking(directory, first_backoff=5.0) as (questions, _):  # a fifth of it at least
            line = asyncio.create_task(questions.learn([(ADDRESS, AT)], within(60)))
            await asyncio.sleep(TIMING.linger + 0.002)
            assert len(directory.asked) == 1
            other = asyncio.create_task(questions.learn([("10.0.1.21", AT)], within(60)))  # lingers as that fails
            await asyncio.sleep(0.9)
            assert len(directory.asked) == 1
            directory.failure = None
            assert [await line, await other] == ["", ""]
            assert directory.times[1] - directory.times[0] >= 1.0

    virtually(main)


def test_requests_that_fail_together_count_once() -> None:
    async def main() -> None:
        directory = Directory(takes=1.0)
        directory.failure = NoAnswer("timeout", "timeout", "no answer")
        async with asking(directory) as (questions, metrics):
            line = asyncio.create_task(questions.learn([(f"10.0.0.{number}", AT) for number in range(12)], within(1.5)))
            await asyncio.sleep(1.1)
            assert directory.most_under_way == 4
            assert away(metrics) == 0
            assert await line == "timeout"

    virtually(main)


@pytest.mark.parametrize("status", ["401", "403", "404", "413", "500", "302"])
def test_a_refusal_is_told_once_by_its_status(status: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        directory = Directory()
        directory.failure = NoAnswer(status, "refused", f"status {status}")
        async with asking(directory) as (questions, metrics):
            assert await questions.learn([(ADDRESS, AT)], within(2)) == "refused"
            await asyncio.sleep(100)
            assert requests(metrics).keys() == {status}
            assert requests(metrics)[status] > 5

    virtually(main)
    said = [record.message for record in caplog.records]
    assert len(said) == 1
    assert f"status {status}" in said[0]


def test_refusals_that_differ_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        directory = Directory()
        directory.failure = FORBIDDEN
        async with asking(directory) as (questions, _):
            await questions.learn([(ADDRESS, AT)], within(2))
            directory.failure = NoAnswer("404", "refused", "status 404")
            await asyncio.sleep(100)

    virtually(main)
    assert [record.message.count("peers.bearer_token_file") for record in caplog.records] == [1, 0]
    assert "check peers.url" in caplog.records[1].message


def test_a_directory_that_takes_fewer_questions_is_asked_fewer(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        directory = Directory()
        answers = directory.ask

        async def strict(questions: Any) -> Any:
            found = await answers(questions)
            if len(questions) > 3:
                raise NoAnswer("413", "refused", "expected at most 3 questions")
            return found

        directory.ask = strict  # type: ignore[method-assign]
        async with asking(directory, questions=20, requests=1) as (questions, metrics):
            asked = [(f"10.0.0.{number}", AT) for number in range(20)]
            assert await questions.learn(asked, within(2)) == ""
            assert away(metrics) == 0
            assert requests(metrics)["413"] == 3  # 20, 10, 5
            assert [len(batch) for batch in directory.asked[3:]] == [2] * 10

    virtually(main)
    assert len(caplog.records) == 1
    assert "at most 3 questions" in caplog.records[0].message


def test_an_answer_that_cannot_be_true_is_none_and_costs_the_others_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        directory = Directory(lambda address, at: None if address == ADDRESS else Answer(CLIENT, 0, at + 1))
        async with asking(directory) as (questions, metrics):
            assert await questions.learn([(ADDRESS, AT), ("10.0.1.21", AT)], within(2)) == "bad_answer"
            assert questions.address(ADDRESS, AT) is None
            assert questions.address("10.0.1.21", AT)
            assert requests(metrics) == {"bad_answer": 1}
            assert away(metrics) == 0

    virtually(main)
    assert len(caplog.records) == 1
    assert "cannot be true" in caplog.records[0].message


def test_a_directory_that_only_lies_is_away_until_it_does_not() -> None:
    async def main() -> None:
        directory = Directory(lambda address, at: None)
        async with asking(directory) as (questions, metrics):
            for _ in range(TIMING.failures):
                assert await questions.learn([(ADDRESS, AT)], within(2)) == "bad_answer"
            assert await questions.learn([(ADDRESS, AT)], within(2)) == "away"
            assert away(metrics) == 1
            directory.says = lambda _, at: Answer(CLIENT, 0, at + 1)
            await asyncio.sleep(TIMING.longest_backoff)
            assert away(metrics) == 0

    virtually(main)


@pytest.mark.parametrize(
    ("address", "at", "reason", "span"),
    [
        ("envoy://internal_client_address/", AT, "not_an_address", (0, FOREVER)),
        ("-", AT, "not_an_address", (0, FOREVER)),
        (ADDRESS, -1, "before_history", (-1, 0)),
        (ADDRESS, 1 << 63, "too_recent", (1 << 63, (1 << 63) + 1)),
    ],
)
def test_what_no_directory_can_know_is_not_asked(address: str, at: int, reason: str, span: tuple[int, int]) -> None:
    async def main() -> None:
        directory = Directory()
        async with asking(directory) as (questions, _):
            assert await questions.learn([(address, at)], within(2)) == ""
            assert questions.address(address, at) == ({"peer_kind": "unknown", "reason": reason}, *span)
            assert directory.asked == []

    virtually(main)


def test_at_the_end_nobody_waits_and_the_connection_is_closed() -> None:
    async def main() -> None:
        directory = Directory(takes=1.0)
        async with asking(directory) as (questions, _):
            line = asyncio.create_task(questions.learn([(ADDRESS, AT), ("10.0.1.21", AT)], within(2)))
            await asyncio.sleep(0.5)
            assert directory.is_connected
        assert not directory.is_connected
        begun = now()
        assert await line == "away"
        assert await questions.learn([(ADDRESS, AT)], within(2)) == "away"
        assert now() == begun

    virtually(main)


def test_what_is_asked_before_it_runs_is_asked_then() -> None:
    async def main() -> None:
        directory = Directory()
        async with asking(directory) as (questions, _):
            assert await questions.learn([(ADDRESS, AT)], within(2)) == ""

    virtually(main)


def test_more_answers_than_are_remembered_are_said_to_be_forgotten() -> None:
    async def main() -> None:
        directory = Directory()
        async with asking(directory, spans=4) as (questions, _):
            asked = [(f"10.0.0.{number}", AT) for number in range(10)]
            assert await questions.learn(asked, within(2)) == "forgotten"
            assert [one for one in asked if questions.address(*one)] == asked[-4:]

    virtually(main)
