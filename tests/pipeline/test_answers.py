"""What was answered once stays true, is saved, and is forgotten when nothing needs it."""

from itertools import pairwise
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.answers import MOST_KEYS, MOST_SPANS, REMEMBERED, Answers, SavedAnswer
from shipper.pipeline.workloads import FOREVER, Answer

WEB: Final = {"namespace": "shop", "pod": "web-0", "app": "web"}
PAY: Final = {"namespace": "pay", "pod": "pay-0"}


def test_a_time_within_a_span_is_answered_and_another_is_not() -> None:
    answers = Answers()
    assert answers.find("t", "10.0.0.3", 5) is None
    assert answers.add("t", "10.0.0.3", 5, Answer(WEB, 3, 9)) == WEB
    found = {at: answers.find("t", "10.0.0.3", at) for at in (2, 3, 8, 9)}
    assert found == {2: None, 3: WEB, 8: WEB, 9: None}
    assert answers.find("other", "10.0.0.3", 5) is None
    assert answers.find("t", "10.0.0.4", 5) is None


def test_unknown_is_an_answer_too() -> None:
    answers = Answers()
    answers.add("t", "10.0.0.3", 5, Answer({}, 5, 7))
    assert answers.find("t", "10.0.0.3", 6) == {}


def test_a_later_answer_changes_nothing_that_was_answered() -> None:
    answers = Answers()
    answers.add("t", "a", 5, Answer(WEB, 3, 9))
    answers.add("t", "a", 20, Answer(PAY, 18, 30))
    assert answers.add("t", "a", 12, Answer({}, 0, FOREVER)) == {}
    found = [answers.find("t", "a", at) for at in (2, 3, 8, 9, 17, 18, 29, 30)]
    assert found == [None, WEB, WEB, {}, {}, PAY, PAY, None]


def test_spans_that_touch_and_say_the_same_become_one() -> None:
    answers = Answers()
    for at in range(0, 1000, 10):
        answers.add("t", "a", at, Answer(WEB, 0, at + 10))
    assert answers.answered("t") == {"a": [SavedAnswer(0, 1000, 990, WEB)]}


def test_answers_about_single_moments_become_one_where_they_say_the_same() -> None:
    answers = Answers()
    for at in (50, 10, 90, 30, 70):
        assert answers.add("t", "a", at, Answer({}, at, at + 1), fills=True) == {}
    assert answers.answered("t") == {"a": [SavedAnswer(10, 91, 90, {})]}


def test_what_another_answer_stands_between_stays_apart() -> None:
    answers = Answers()
    answers.add("t", "a", 10, Answer({}, 10, 11), fills=True)
    answers.add("t", "a", 30, Answer(WEB, 25, 35))
    answers.add("t", "a", 50, Answer({}, 50, 51), fills=True)
    answers.add("t", "a", 20, Answer({}, 20, 21), fills=True)
    found = [answers.find("t", "a", at) for at in (10, 15, 20, 21, 25, 34, 35, 49, 50)]
    assert found == [{}, {}, {}, None, WEB, WEB, None, None, {}]


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=40))
def test_what_was_answered_stays_whatever_is_filled(asked: list[tuple[int, bool]]) -> None:
    answers, given_so_far = Answers(), dict[int, object]()
    for at, is_known in asked:
        known = answers.find("t", "a", at)
        if known is None:
            answer = Answer(WEB, at - 1, at + 2) if is_known else Answer({}, at, at + 1)
            known = answers.add("t", "a", at, answer, fills=not is_known)
        given_so_far.setdefault(at, known)
        assert all(answers.find("t", "a", before) == fields for before, fields in given_so_far.items())


def test_there_is_room_for_a_key_up_to_the_most_and_for_its_spans() -> None:
    answers = Answers()
    answers.add("t", "a", 0, Answer(WEB, 0, 1))
    assert [answers.has_room("t", key, most=1) for key in ("a", "b")] == [True, False]
    assert answers.has_room("t", "b", most=2)
    for at in range(1, MOST_SPANS):
        assert answers.has_room("t", "a", most=1)
        answers.add("t", "a", 10 * at, Answer(WEB, 10 * at, 10 * at + 1))
    assert not answers.has_room("t", "a")


def test_beyond_the_bounds_what_is_new_is_unknown() -> None:
    answers = Answers()
    for key in range(MOST_KEYS):
        answers.add("t", str(key), 0, Answer(WEB, 0, 1))
    assert answers.add("t", "one more", 0, Answer(WEB, 0, 1)) == {}
    assert answers.find("t", "one more", 0) is None
    for at in range(1, MOST_SPANS):
        assert answers.add("t", "0", 10 * at, Answer(WEB, 10 * at, 10 * at + 1)) == WEB
    assert answers.add("t", "0", 5, Answer(WEB, 5, 6)) == {}
    assert answers.add("t", "0", 1, Answer(WEB, 1, 2)) == WEB  # it widens a span


def test_what_is_settled_is_forgotten_an_hour_after_its_last_use() -> None:
    answers = Answers()
    answers.add("t", "old", 10, Answer(WEB, 0, FOREVER))
    answers.add("t", "used", 10, Answer(WEB, 0, FOREVER))
    answers.find("t", "used", 10 + REMEMBERED)
    answers.settled("t", 11 + REMEMBERED)
    assert set(answers.answered("t")) == {"used"}


def test_a_target_that_is_gone_is_forgotten() -> None:
    answers = Answers()
    answers.add("t", "a", 0, Answer(WEB, 0, 1))
    answers.release("t")
    assert answers.answered("t") == {}


def test_what_a_save_needs_to_know() -> None:
    answers = Answers()
    answers.find("t", "a", 0)
    assert not answers.changed
    answers.add("t", "a", 0, Answer(WEB, 0, 1))
    assert answers.changed
    answers.changed = False
    answers.find("t", "a", 0)
    assert not answers.changed


TIMES = st.integers(0, 60)
KEYS = st.sampled_from(["shop/web-0", "10.0.0.3"])


@given(st.lists(st.tuples(KEYS, TIMES, TIMES, TIMES, st.sampled_from([WEB, PAY, {}])), max_size=30), st.data())
def test_each_time_has_one_answer_for_ever_also_after_a_restart(
    asked: list[tuple[str, int, int, int, dict[str, str]]], data: st.DataObject
) -> None:
    """Whoever is asked again may know something else by then."""
    answers, said = Answers(), dict[tuple[str, int], dict[str, str]]()
    restarts = data.draw(st.sets(st.integers(0, 30)))
    for number, (key, at, before, behind, fields) in enumerate(asked):
        if number in restarts:
            saved = msgspec.json.encode(answers.answered("t"))
            answers = Answers()
            answers.restore("t", msgspec.json.decode(saved, type=dict[str, list[SavedAnswer]]))
        known = answers.find("t", key, at)
        if known is None:
            known = answers.add("t", key, at, Answer(fields, at - before, at + behind))
            assert known == fields
        assert said.setdefault((key, at), dict(known)) == known
        assert answers.find("t", key, at) == known
    for spans in answers.answered("t").values():
        assert all(one.end <= other.start for one, other in pairwise(spans))
