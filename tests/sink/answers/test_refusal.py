"""Which entries a 400 refuses. The texts are Loki's, measured on 3.4.6."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.model import Entry
from shipper.sink.answers.refusal import TEXT_LIMIT, NoVerdict, read

SECOND = 10**9
T = 1_760_000_000 * SECOND
STREAM = '{app="a; \\"b\\"}", job="has timestamp too new: x", service_name="a"}'


def rfc(nanos: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(nanos // SECOND))


def exact(nanos: int) -> str:
    fraction = f".{nanos % SECOND:09}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(nanos // SECOND)) + fraction + " +0000 UTC"


def old(nanos: int, oldest: int = T) -> str:
    return (
        f"entry for stream '{STREAM}' has timestamp too old: {rfc(nanos)}, "
        f"oldest acceptable timestamp is: {rfc(oldest)}"
    )


def new(nanos: int) -> str:
    return f"entry for stream '{STREAM}' has timestamp too new: {rfc(nanos)}"


def long(length: int, limit: int = 10) -> str:
    adding = f"while adding an entry with length '{length}' bytes"
    return f"Max entry size '{limit}' bytes exceeded for stream '{STREAM}' {adding}"


def behind(nanos: int, oldest: int) -> str:
    return (
        f"entry with timestamp {exact(nanos)} ignored, reason: 'entry too far behind, "
        f"entry timestamp is: {rfc(nanos)}, oldest acceptable timestamp is: {rfc(oldest)}',"
    )


def total(ignored: int, seen: int) -> str:
    return f"user 'fake', total ignored: {ignored} out of {seen} for stream: {STREAM}"


def at(*nanos: int) -> list[Entry]:
    return [Entry(one, b"line") for one in nanos]


def test_too_old_is_told_by_its_second() -> None:
    assert read(old(T - 5 * SECOND), at(T, T - 5 * SECOND, T + 1)) == {1: "greater_than_max_sample_age"}


def test_equal_errors_are_grouped() -> None:
    text = f"2 errors like: {old(T - SECOND)}\n{old(T - 3 * SECOND)}"
    entries = at(T - SECOND, T - SECOND + 5, T, T - 3 * SECOND)
    assert read(text, entries) == dict.fromkeys((0, 1, 3), "greater_than_max_sample_age")


@pytest.mark.parametrize("between", ["\n", "; "])
def test_errors_of_all_kinds_stand_together(between: str) -> None:
    entries = [*at(T - 5 * SECOND, T), Entry(T, b"x" * 11), *at(T + 900 * SECOND), Entry(T - SECOND, b"x" * 11)]
    text = between.join([new(T + 900 * SECOND), long(11), f"{old(T - 5 * SECOND)}", old(T - SECOND)])
    assert read(text, entries) == {
        0: "greater_than_max_sample_age",
        2: "line_too_long",
        3: "too_far_in_future",
        4: "greater_than_max_sample_age",
    }


def test_text_is_read_in_lower_case_too() -> None:
    assert read(long(11).lower(), [Entry(T, b"x" * 11), Entry(T, b"x")]) == {0: "line_too_long"}


def test_an_entry_as_old_that_is_not_in_the_list_makes_it_ambiguous() -> None:
    assert read(old(T - 5 * SECOND), at(T - 5 * SECOND, T - 7 * SECOND)) is NoVerdict.AMBIGUOUS


def test_a_count_that_does_not_agree_makes_it_ambiguous() -> None:
    assert read(f"3 errors like: {old(T - SECOND)}", at(T - SECOND, T - SECOND, T)) is NoVerdict.AMBIGUOUS
    assert read(long(11), [Entry(T, b"x" * 11), Entry(T, b"x" * 12)]) is NoVerdict.AMBIGUOUS


def test_a_sentence_nobody_knows_beside_one_we_know_makes_it_ambiguous() -> None:
    text = f"{old(T - SECOND)}\nentry for stream '{STREAM}' is of the wrong colour"
    assert read(text, at(T - SECOND, T)) is NoVerdict.AMBIGUOUS
    assert read(text, at(T - SECOND)) == {0: "greater_than_max_sample_age"}


def test_a_list_that_is_cut_off_is_not_trusted() -> None:
    text, entries = old(T - SECOND), at(T - SECOND, T)
    assert isinstance(read(text.replace('app="a', f'app="{"é" * 1000}'), entries), dict)
    assert read(text.replace('app="a', f'app="{"é" * (TEXT_LIMIT // 2)}'), entries) is NoVerdict.AMBIGUOUS
    assert read(text + "\n" * TEXT_LIMIT, entries) is NoVerdict.AMBIGUOUS


def test_too_far_behind_is_told_by_its_exact_time() -> None:
    text = f"{behind(T + 7, T + SECOND)}\n{total(1, 3)}"
    assert read(text, at(T, T + 7, T + 7200 * SECOND)) == {1: "too_far_behind"}


def test_more_than_ten_too_far_behind_are_explained_by_the_oldest_time() -> None:
    entries = at(*range(T, T + 15), T + 7200 * SECOND)
    text = "\n".join([*(behind(T + place, T + 3600 * SECOND) for place in range(10)), total(15, 16)])
    assert read(text, entries) == dict.fromkeys(range(15), "too_far_behind")
    assert read(text.replace("15 out", "14 out"), entries) is NoVerdict.AMBIGUOUS
    unexplained = text.replace(exact(T + 3), exact(T + 7200 * SECOND))
    assert read(unexplained, entries) is NoVerdict.AMBIGUOUS


def test_all_of_a_request_too_far_behind() -> None:
    text = "\n".join([*(behind(T + place, T + SECOND * place) for place in range(10)), total(15, 15)])
    assert read(text, at(*range(T, T + 15))) == dict.fromkeys(range(15), "too_far_behind")


def test_an_ingesters_error_that_hides_others_is_ambiguous() -> None:
    text = f"{behind(T, T + SECOND)}\n{total(1, 2)}"
    assert read(text, at(T, T + 1, T + 2)) is NoVerdict.AMBIGUOUS


def test_two_entries_of_one_time_of_which_one_is_refused_are_ambiguous() -> None:
    text = f"{behind(T, T + SECOND)}\n{total(1, 3)}"
    assert read(text, at(T, T, T + 7200 * SECOND)) is NoVerdict.AMBIGUOUS


def test_an_answer_without_line_breaks() -> None:
    text = f"rpc error: code = Code(400) desc = {behind(T + 7, T + SECOND)} {total(1, 1)}"
    assert read(text, at(T + 7)) == {0: "too_far_behind"}


def test_out_of_order_where_loki_insists_on_it() -> None:
    text = f"entry with timestamp {exact(T)} ignored, reason: 'entry out of order',\n{total(1, 2)}"
    assert read(text, at(T, T + 1)) == {0: "out_of_order"}


def test_a_rate_limit_behind_a_400_settles_nothing() -> None:
    text = (
        f"entry with timestamp {exact(T)} ignored, reason: 'Per stream rate limit exceeded (limit: 3MB/sec) while "
        f"attempting to ingest for stream '{STREAM}' totaling 5B',\n{behind(T + 1, T + SECOND)}\n{total(2, 3)}"
    )
    assert read(text, at(T, T + 1, T + 2)) is NoVerdict.LIMITED


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"entry for stream '{STREAM}' has 16 label names; limit 15", "max_label_names_per_series"),
        (f"stream '{STREAM}' has label name too long: 'xx'", "label_name_too_long"),
        (f"stream '{STREAM}' has label value too long: 'too old'", "label_value_too_long"),
        (f"stream '{STREAM}' has duplicate label name: 'x'", "duplicate_label_names"),
        (f"missing required labels team for user fake for stream '{STREAM}'", "missing_enforced_labels"),
        ("couldn't parse labels: 1:4: parse error: unexpected x", "invalid_labels"),
        ("error at least one label pair is required per stream", "missing_labels"),
    ],
)
def test_what_is_wrong_with_the_labels_refuses_every_entry(text: str, reason: str) -> None:
    assert read(text, at(T, T + 1)) == {0: reason, 1: reason}


def test_structured_metadata() -> None:
    plain, one, two = Entry(T, b""), Entry(T, b"", (("a", "b"),)), Entry(T, b"", (("a", "b" * 9), ("c", "d")))
    none = f"stream '{STREAM}' includes structured metadata, but this feature is disallowed. Please see `x`"
    assert read(none, [plain, one]) == {1: "structured_metadata_disallowed"}
    large = f"stream '{STREAM}' has structured metadata too large: '12' bytes, limit: '5' bytes. Please see `x`"
    assert read(large, [plain, one, two]) == {2: "structured_metadata_too_large"}
    many = f"stream '{STREAM}' has too many structured metadata labels: '2', limit: '1'. Please see `x`"
    assert read(many, [plain, one, two]) == {2: "structured_metadata_too_many"}
    assert read(f"stream '{STREAM}' has structured metadata too large", [one, two]) is NoVerdict.AMBIGUOUS


@pytest.mark.parametrize(
    "text",
    ["", "400 Bad Request", "Client sent an HTTP request to an HTTPS server.", "snappy: corrupt input", STREAM],
)
def test_words_that_are_not_lokis_are_no_verdict(text: str) -> None:
    assert read(text, at(T)) is NoVerdict.UNKNOWN
    assert read(text, at(T, T + 1)) is NoVerdict.UNKNOWN


PIECES = st.sampled_from([old(T), new(T), long(3), behind(T, T), total(1, 2), "2 errors like: ", "{", "'", "\n", "; "])


@given(st.lists(PIECES | st.text(max_size=20)).map("".join), st.lists(st.integers(T - SECOND, T + SECOND), min_size=1))
def test_any_text_gets_an_answer_about_entries_there_are(text: str, times: list[int]) -> None:
    verdict = read(text, at(*times))
    if isinstance(verdict, dict):
        assert verdict
        assert set(verdict) <= set(range(len(times)))
