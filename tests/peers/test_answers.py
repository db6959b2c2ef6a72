"""What a directory sends is believed only as far as it can be true."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.fields import PEER_FIELDS
from shipper.peers.answers import OTHER, answers
from shipper.peers.errors import NoAnswer
from shipper.pipeline.workloads import FOREVER, Answer
from shipper.who.holder import Answer as Held
from shipper.who.holder import Holder, Reason
from shipper.who.protocol import Answers, Told, encode, told

AT = 1_000
POD = {"kind": "pod", "namespace": "default", "pod": "legacy-client", "from": 900, "to": 1_100}


def sent(*said: object, known: int = 2_000) -> bytes:
    return json.dumps({"since": 1, "known": known, "answers": said}).encode()


def read(*said: object, known: int = 2_000, at: int = AT) -> list[Answer | None]:
    return answers(sent(*said, known=known), [("10.0.1.20", at)] * len(said))


def test_each_field_of_a_pod_has_its_name() -> None:
    holder = Holder("pod", "default", "legacy-client-x", "legacy", "legacy-client", "node-1", "sa")
    body = encode(Answers(1, 2_000, [told(Held(holder, 900, 1_100))]))
    fields = {
        "peer_kind": "pod",
        "peer_namespace": "default",
        "peer_app": "legacy",
        "peer_pod": "legacy-client-x",
        "peer_node": "node-1",
        "peer_owner": "legacy-client",
    }
    assert fields.keys() == set(PEER_FIELDS)
    assert answers(body, [("10.0.1.20", AT)]) == [Answer(fields, 900, 1_101)]


def test_answers_are_in_the_order_of_the_questions() -> None:
    node = {"kind": "node", "node": "node-1", "from": 0, "to": 1_000}
    external = {"kind": "external", "from": 0, "to": 1_500}
    found = read(POD, node, external)
    assert [answer and answer.fields["peer_kind"] for answer in found] == ["pod", "node", "external"]


@pytest.mark.parametrize(
    "said",
    [
        POD | {"from": 1_001},
        POD | {"to": 999},
        POD | {"from": 1_100, "to": 900},
        POD | {"pod": ""},
        POD | {"namespace": ""},
        POD | {"pod": "a\nb"},
        POD | {"app": "\x1b[31m"},
        POD | {"owner": "a b"},
        POD | {"node": "é"},
        POD | {"app": "a" * 254},
        POD | {"reason": "too_recent"},
        {"kind": "node", "from": 0, "to": 1_000},
        {"kind": "service", "from": 0, "to": 1_000},
        {"kind": "external", "namespace": "x", "from": 0, "to": 1_000},
    ],
)
def test_what_cannot_be_true_is_none_and_the_rest_stays(said: dict[str, Any]) -> None:
    assert read(said, POD)[0] is None
    assert read(said, POD)[1] is not None


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_passed_on_and_nobody_is_named(reason: Reason) -> None:
    (answer,) = read(POD | {"kind": "unknown", "reason": reason})
    assert answer
    assert answer.fields == {"peer_kind": "unknown", "reason": reason}
    is_for_now = reason in ("too_recent", "not_ready", "watch_gap")
    assert answer[1:] == ((AT, AT + 1) if is_for_now else (900, 1_101))


def test_reasons_of_another_version_are_one() -> None:
    (answer,) = read({"kind": "unknown", "reason": "the moon", "from": AT, "to": AT})
    assert answer == ({"peer_kind": "unknown", "reason": OTHER}, AT, AT + 1)


def test_nothing_is_said_of_times_that_the_directory_cannot_know_yet() -> None:
    forever = POD | {"from": -(10**30), "to": 10**30}
    assert [answer and answer[1:] for answer in read(forever)] == [(0, 2_001)]
    assert [answer and answer[1:] for answer in read(forever, known=10)] == [(0, AT + 1)]
    assert [answer and answer[1:] for answer in read(forever, known=10**30)] == [(0, FOREVER)]


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Please log in</html>", b"[]", b"\xff", sent(), sent(POD, POD), sent({"kind": "pod"}),
     sent(POD | {"kind": "queen"}), b'{"since":1,"known":2,"answers":' + b"[" * 5_000],
)  # fmt: skip
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(NoAnswer) as refused:
        answers(body, [("10.0.1.20", AT)])
    assert (refused.value.outcome, refused.value.reason) == ("bad_answer", "bad_answer")
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) <= 200


KINDS = st.sampled_from(["pod", "node", "service", "external", "unknown"])
NAMES = st.sampled_from(["", "a", "legacy-client", "x" * 300, "a\x00b", "é"]) | st.text(max_size=5)
TIMES = st.integers(-10, 30) | st.integers(-(1 << 70), 1 << 70)
TOLD = st.builds(Told, KINDS, TIMES, TIMES, NAMES, NAMES, NAMES, NAMES, NAMES, NAMES, NAMES | st.sampled_from(Reason))


@given(st.lists(st.tuples(TOLD, st.integers(0, 20)), max_size=4), TIMES)
def test_whatever_is_said_an_answer_is_about_the_asked_time_and_its_names_are_names(
    said: list[tuple[Told, int]], known: int
) -> None:
    body = encode(Answers(0, known, [one for one, _ in said]))
    found = answers(body, [("10.0.1.20", at) for _, at in said])
    for answer, (_, at) in zip(found, said, strict=True):
        if answer is not None:
            assert 0 <= answer.start <= at < answer.end <= FOREVER
            assert answer.fields.keys() <= {*PEER_FIELDS, "reason"}
            assert all(
                value.isascii() and value.isprintable() and 0 < len(value) < 254 for value in answer.fields.values()
            )
            assert ("reason" in answer.fields) == (answer.fields["peer_kind"] == "unknown")


@given(st.binary(max_size=200))
def test_whatever_bytes_come_there_is_no_other_error(body: bytes) -> None:
    try:
        found = answers(body, [("10.0.1.20", AT)])
    except NoAnswer:
        return
    assert len(found) == 1
