"""Label sets: text that Loki reads back as it was meant, and budgets that no client can exceed."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.label_text import parse
from shipper.pipeline.labels import MAX_VALUE_BYTES, OVERFLOW, Admission, LabelSets, cut, label_text, target_labels

HOSTILE = ['"', "\\", '\\"', '"}', '{a="b"}', ", ", "`", "'", "\n", "\r\n", "\t", "\0", "\x1b", "\x7f", "\x85"]
WIDE = ["\u2028", "\u2029", "\ufeff", "\ufffd", "\u200b", "\u202e", "e\u0301", "ж", "漢", "😀", "\U0010ffff"]
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.sampled_from(HOSTILE + WIDE)).map("".join)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)

# Text


@given(st.dictionaries(NAMES, TEXTS, max_size=4))
@example({"a": "".join(HOSTILE), "b": "".join(WIDE), "c": 'x", d="y'})
def test_the_text_reads_back_to_the_labels(labels: dict[str, str]) -> None:
    assert parse(label_text(labels)) == {name: value for name, value in labels.items() if value}


@given(TEXTS)
def test_no_value_breaks_the_line_it_stands_in(value: str) -> None:
    assert not set(label_text({"a": value})) & set(map(chr, range(32)))


@given(st.dictionaries(NAMES, TEXTS, max_size=4))
def test_the_same_labels_have_one_text(labels: dict[str, str]) -> None:
    backwards = dict(reversed(labels.items()))
    assert label_text(backwards) == label_text(labels) == label_text(labels | {"empty": ""})


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ({}, "{}"),
        ({"source_san": ""}, "{}"),
        ({"job": "x", "app": "checkout"}, '{app="checkout", job="x"}'),
        ({"a": 'b"c\\d\ne'}, r'{a="b\"c\\d\ne"}'),
        ({"a": "\0\x1fé\u2028"}, '{a="\\u0000\\u001fé\u2028"}'),
    ],
)
def test_the_text_is_what_loki_writes_itself(labels: dict[str, str], text: str) -> None:
    assert label_text(labels) == text


# Length


@given(st.text(st.sampled_from("aé漢😀"), max_size=3), st.sampled_from("aé漢😀"), st.integers(500, 2100))
@example("", "a", MAX_VALUE_BYTES)
@example("", "a", MAX_VALUE_BYTES + 1)
@example("", "😀", MAX_VALUE_BYTES // 4)
@example("a", "😀", MAX_VALUE_BYTES // 4)
@example("aa", "漢", MAX_VALUE_BYTES // 3)
def test_a_value_is_cut_at_the_limit_and_never_within_a_character(start: str, char: str, times: int) -> None:
    value = start + char * times
    shorter = cut(value)
    size = len(shorter.encode())
    assert value.startswith(shorter)
    assert size <= MAX_VALUE_BYTES
    assert shorter == value or size + len(char.encode()) > MAX_VALUE_BYTES


def test_values_that_differ_behind_the_cut_are_one() -> None:
    admission = Admission(("source_san",), max_values=1, max_streams=10)
    long = "x" * MAX_VALUE_BYTES
    assert admission.admit("a", (long + "1",)) == admission.admit("a", (long + "2",)) == (long,)
    assert len(admission) == 1


# Budgets of values

NAMES_USED = ("response_flags", "termination_details", "source_san")


def admitting(*, values: int = 100, streams: int = 100, names: tuple[str, ...] = NAMES_USED) -> Admission:
    return Admission(names, values, streams)


def test_beyond_its_budget_a_value_overflows_and_those_admitted_stay() -> None:
    admission = admitting(values=2, names=("source_san",))
    admitted = [admission.admit("a", (san,)) for san in ("x", "y", "z", "x", "w", "y")]
    assert admitted == [("x",), ("y",), (OVERFLOW,), ("x",), (OVERFLOW,), ("y",)]
    assert len(admission) == 3


def test_each_label_has_a_budget_of_its_own() -> None:
    admission = admitting(values=1)
    assert admission.admit("a", ("UT", "timeout", "x")) == ("UT", "timeout", "x")
    assert admission.admit("a", ("UT", "reset", "x")) == ("UT", OVERFLOW, "x")
    assert admission.admit("a", ("UF", "timeout", "y")) == (OVERFLOW, "timeout", OVERFLOW)


def test_all_targets_share_a_budget() -> None:
    admission = admitting(values=1, names=("source_san",))
    assert admission.admit("a", ("x",)) == ("x",)
    assert admission.admit("b", ("x",)) == ("x",)
    assert admission.admit("b", ("y",)) == (OVERFLOW,)


def test_what_is_empty_or_has_overflowed_takes_nothing_of_the_budget() -> None:
    admission = admitting(values=2, names=("source_san",))
    admitted = [admission.admit("a", (san,)) for san in ("", OVERFLOW, "x", "y", "z", "")]
    assert admitted == [("",), (OVERFLOW,), ("x",), ("y",), (OVERFLOW,), ("",)]


# The budget of streams


def test_with_too_many_streams_the_san_is_given_up_first_and_then_the_details() -> None:
    admission = admitting(streams=2)
    assert admission.admit("a", ("UT", "timeout", OVERFLOW)) == ("UT", "timeout", OVERFLOW)
    assert admission.admit("a", ("UT", "timeout", "x")) == ("UT", "timeout", "x")
    assert admission.admit("a", ("UT", "timeout", "y")) == ("UT", "timeout", OVERFLOW)
    assert admission.admit("a", ("UT", "reset", "y")) == ("UT", OVERFLOW, OVERFLOW)


def test_with_too_many_streams_the_peer_is_given_up_before_all_else() -> None:
    admission = admitting(streams=1, names=("source_san", "peer_namespace", "peer_app", "peer_kind"))
    admission.admit("a", ("x", "default", OVERFLOW, "pod"))
    assert admission.admit("a", ("x", "default", "web", "pod")) == ("x", "default", OVERFLOW, "pod")
    assert admission.admit("a", ("x", "shop", "web", "pod")) == (OVERFLOW, OVERFLOW, OVERFLOW, "pod")


def test_a_stream_there_is_needs_no_room() -> None:
    admission = admitting(streams=1)
    assert admission.admit("a", ("UT", "timeout", "x")) == ("UT", "timeout", "x")
    assert admission.admit("a", ("UT", "timeout", "y")) == ("UT", OVERFLOW, OVERFLOW)
    assert admission.admit("a", ("UT", "timeout", "x")) == ("UT", "timeout", "x")


def test_the_streams_of_all_targets_are_counted_together() -> None:
    admission = admitting(streams=1)
    admission.admit("a", ("UT", "", "x"))
    assert admission.admit("b", ("UT", "", "x")) == ("UT", "", OVERFLOW)
    assert len(admission) == 2


def test_an_empty_value_stays_empty_whatever_is_given_up() -> None:
    admission = admitting(streams=0)
    assert admission.admit("a", ("UT", "", "")) == ("UT", "", "")
    assert admission.admit("a", ("UT", "", "x")) == ("UT", "", OVERFLOW)


def test_other_labels_are_never_given_up() -> None:
    admission = admitting(streams=0, names=("source_san", "response_flags"))
    assert admission.admit("a", ("x", "UT")) == (OVERFLOW, "UT")
    assert admission.admit("a", ("y", "UF")) == (OVERFLOW, "UF")


# Properties of both: few values, many collisions, tight budgets

VALUES = st.tuples(
    st.sampled_from(["UT", "UF,URX", "NR"]),
    st.sampled_from(["", "timeout", "reset", OVERFLOW]),
    st.sampled_from(["", "x", "y", "z", OVERFLOW]),
)
LINES = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), VALUES), max_size=25)
BUDGETS = st.tuples(st.integers(0, 4), st.integers(0, 6))

Line = tuple[str, tuple[str, ...]]


def admit_all(admission: Admission, lines: Iterable[Line]) -> list[tuple[str, ...]]:
    return [admission.admit(target, values) for target, values in lines]


def restored(admission: Admission, budgets: tuple[int, int]) -> Admission:
    """What the next process has of it; its targets come in another order."""
    after = Admission(NAMES_USED, *budgets)
    for target in ("c", "b", "a"):
        after.restore(target, admission.admitted(target))
    return after


@given(LINES, BUDGETS)
def test_no_clients_can_exceed_the_budgets(lines: list[Line], budgets: tuple[int, int]) -> None:
    admission = Admission(NAMES_USED, *budgets)
    streams = {(target, admitted) for (target, _), admitted in zip(lines, admit_all(admission, lines), strict=True)}
    assert len(admission) == len(streams)
    for at in range(len(NAMES_USED)):
        assert len({values[at] for _, values in streams} - {"", OVERFLOW}) <= budgets[0]
    # beyond the budget there are but those that have nothing left to give up
    spared = {stream for stream in streams if not {stream[1][1], stream[1][2]} <= {"", OVERFLOW}}
    assert len(spared) <= budgets[1]


@given(LINES, BUDGETS)
def test_a_value_stays_or_overflows_and_nothing_else_comes_of_it(lines: list[Line], budgets: tuple[int, int]) -> None:
    for (_, values), admitted in zip(lines, admit_all(Admission(NAMES_USED, *budgets), lines), strict=True):
        assert all(got in (value, OVERFLOW) for value, got in zip(values, admitted, strict=True))
        assert all(got == "" for value, got in zip(values, admitted, strict=True) if value == "")


@given(LINES, BUDGETS)
def test_a_line_sent_again_has_the_labels_it_had(lines: list[Line], budgets: tuple[int, int]) -> None:
    admission = Admission(NAMES_USED, *budgets)
    first = admit_all(admission, lines)
    assert admit_all(admission, lines) == first
    assert admit_all(restored(admission, budgets), lines) == first


@given(LINES, LINES, BUDGETS)
def test_what_was_restored_decides_as_before(before: list[Line], after: list[Line], budgets: tuple[int, int]) -> None:
    admission = Admission(NAMES_USED, *budgets)
    admit_all(admission, before)
    other = restored(admission, budgets)
    assert len(other) == len(admission)
    assert admit_all(other, after) == admit_all(admission, after)
    for target in ("a", "b", "c"):
        assert other.admitted(target) == admission.admitted(target)


@given(LINES, LINES, BUDGETS)
def test_a_target_that_is_gone_leaves_nothing(before: list[Line], after: list[Line], budgets: tuple[int, int]) -> None:
    after = [(target, values) for target, values in after if target != "a"]
    of_a = [line for line in before if line[0] == "a"]
    admission = Admission(NAMES_USED, *budgets)
    admit_all(admission, of_a)
    admission.release("a")
    assert (len(admission), admission.admitted("a")) == (0, [])
    assert admit_all(admission, after) == admit_all(Admission(NAMES_USED, *budgets), after)


def test_a_value_is_free_again_when_no_stream_uses_it() -> None:
    admission = admitting(values=1, names=("source_san",))
    admission.admit("a", ("x",))
    admission.admit("b", ("x",))
    admission.release("a")
    assert admission.admit("c", ("y",)) == (OVERFLOW,)
    admission.release("b")
    assert admission.admit("c", ("y",)) == ("y",)


def test_releasing_an_unknown_target_does_nothing() -> None:
    admission = admitting()
    admission.release("a")
    assert len(admission) == 0


# State


def test_the_state_names_its_labels_and_leaves_empty_ones_out() -> None:
    admission = admitting()
    admission.admit("a", ("UT", "", "x"))
    admission.admit("a", ("UT", "", ""))
    admission.admit("b", ("NR", "", ""))
    assert admission.admitted("a") == [{"response_flags": "UT"}, {"response_flags": "UT", "source_san": "x"}]
    assert admission.admitted("c") == []


def test_a_new_stream_is_to_be_saved_and_a_known_one_is_not() -> None:
    admission = admitting()
    admission.admit("a", ("UT", "", "x"))
    assert admission.changed
    admission.changed = False
    admission.admit("a", ("UT", "", "x"))
    assert not admission.changed
    admission.admit("b", ("UT", "", "x"))
    assert admission.changed


def test_what_was_saved_under_another_configuration_is_forgotten_or_filled_up() -> None:
    admission = admitting(names=("response_flags", "source_san"))
    admission.restore("a", [{"response_flags": "UT", "side": "upstream"}, {"source_san": "x"}, {"source_san": "x"}])
    assert admission.admitted("a") == [{"source_san": "x"}]
    assert len(admission) == 1


# The label sets of one target

OWN = {"job": "mesh", "app": "checkout", "namespace": "shop"}


def test_a_line_has_its_target_s_labels_and_its_own() -> None:
    labels = LabelSets("a", OWN, admitting())
    assert parse(labels.text(("UT", "", "spiffe://x"))) == OWN | {
        "response_flags": "UT",
        "source_san": "spiffe://x",
        "service_name": "checkout",
    }


@pytest.mark.parametrize(
    ("own", "service"),
    [
        ({"app": "checkout"}, "checkout"),
        ({"app": "checkout", "service_name": "till"}, "till"),
        ({"app": "checkout", "service_name": ""}, "checkout"),
        ({"job": "mesh"}, None),
    ],
)
def test_the_service_is_the_app_unless_it_is_named(own: dict[str, str], service: str | None) -> None:
    assert parse(LabelSets("a", own, admitting()).text(("UT", "", ""))).get("service_name") == service


def test_lines_that_lost_a_value_are_counted_by_label() -> None:
    labels = LabelSets("a", OWN, admitting(values=1))
    for values in (("UT", "reset", "x"), ("UT", "reset", "y"), ("UT", "reset", "y"), ("UT", "timeout", "z")):
        labels.text(values)
    assert labels.overflowed == Counter(source_san=3, termination_details=1)


def test_a_client_without_end_of_names_has_one_stream() -> None:
    admission = admitting(values=5)
    labels = LabelSets("a", OWN, admission)
    texts = {labels.text(("UT", "", f"spiffe://{number}")) for number in range(3 * LabelSets.CACHED)}
    assert len(texts) == len(admission) == 6


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing() -> None:
    labels = LabelSets("a", OWN, admitting(values=5000, streams=5000))
    sans = [f"spiffe://{number}" for number in range(LabelSets.CACHED + 10)]
    first = [labels.text(("UT", "", san)) for san in sans]
    assert len(set(first)) == len(sans)
    again = [labels.text(("UT", "", san)) for san in sans]
    assert again == first
    assert again[0] is not first[0]


@given(st.lists(VALUES, max_size=15), BUDGETS)
def test_a_line_has_the_same_text_after_a_restart(lines: list[tuple[str, ...]], budgets: tuple[int, int]) -> None:
    admission = Admission(NAMES_USED, *budgets)
    first = [LabelSets("a", OWN, admission).text(values) for values in lines]
    after = LabelSets("a", OWN, restored(admission, budgets))
    assert [after.text(values) for values in lines] == first


def test_a_target_s_labels_are_the_constants_and_its_fields_which_win() -> None:
    fields = {"namespace": "shop", "pod": "", "app": "x" * (MAX_VALUE_BYTES + 1), "uid": "1"}
    constant = [("cluster", "eu1"), ("namespace", "elsewhere"), ("pod", "none")]
    assert dict(target_labels(("namespace", "pod", "app", "node"), fields, constant)) == {
        "cluster": "eu1",
        "namespace": "shop",
        "pod": "none",
        "app": "x" * MAX_VALUE_BYTES,
    }
