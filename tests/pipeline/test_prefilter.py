"""The search of a whole block, held against reading every line one by one, for whatever may stand in a log."""

import itertools
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lab.label_text import parse
from shipper.pipeline.keep import MTLS, UT, KeepRule
from shipper.pipeline.labels import Admission
from shipper.pipeline.pipeline import Pipeline
from tests.pipeline.logs import ANY_LOG, CHANCE, FRAMINGS, RECORDS, WANTED, Written, put_to_paper, written
from tests.pipeline.reading import NOW, TARGET, Reading, Sum, block, cri, cut, fed, pipeline, text, without_cause


@pytest.mark.parametrize("rule", [UT, MTLS], ids=lambda rule: rule.name)
@settings(max_examples=200)
@given(log=ANY_LOG, chance=CHANCE)
def test_a_log_comes_to_what_reading_every_line_comes_to(
    rule: KeepRule, log: list[Written], chance: random.Random
) -> None:
    lines = put_to_paper(log, chance)
    cuts = [at for at in range(len(lines)) if chance.random() < 0.3]
    assert without_cause(fed(pipeline(rule), cut(lines, cuts))) == Reading(rule, lines).sum


LINE_START = ("user_agent", " F { stdout F {")  # counted as a line's beginning, where a block is counted as a whole
LOOKALIKES = written(
    (*FRAMINGS, "lookalike"), st.sampled_from([1, 2]), (RECORDS | WANTED).map(lambda record: [LINE_START, *record])
)


@settings(max_examples=100)
@given(log=LOOKALIKES, chance=CHANCE)
def test_what_looks_like_the_beginning_of_a_line_costs_no_entry(log: list[Written], chance: random.Random) -> None:
    lines = put_to_paper(log, chance)
    found, expected = fed(pipeline(), cut(lines, [len(lines) // 2])), Reading(UT, lines).sum
    assert (found.stored, found.lines) == (expected.stored, expected.lines)


UNBROKEN = written(("stdout", "bare", "broken"), st.just(1), RECORDS | WANTED)


@pytest.mark.parametrize("rule", [UT, MTLS], ids=lambda rule: rule.name)
@settings(max_examples=100)
@given(log=UNBROKEN, chance=CHANCE)
@example([Written(b'{x stdout F [2026-11-23T10:30:00Z] "', "bare", 1, True)], random.Random(0))
@example([Written(b'x stdout F [2026-11-23T10:30:00Z] "', "stdout", 1, True)], random.Random(0))
def test_the_search_and_the_look_at_every_line_agree_to_the_reason(
    rule: KeepRule, log: list[Written], chance: random.Random
) -> None:
    # No parts, and no line that a torn colour makes the end of the partial line below.
    ends = (b" stdout P", b" stderr P", b" stderr F")
    lines = [line for line in put_to_paper(log, chance) if not any(end in line for end in ends)]
    searched = fed(pipeline(rule), [text(*lines)])

    beside_a_partial_line = pipeline(rule)
    opened = beside_a_partial_line.feed(block(text(cri(b"x", b"P", b"stderr"))), NOW)
    assert (opened.lines, bool(beside_a_partial_line.joiner)) == (0, True)
    looked_at = fed(beside_a_partial_line, [text(*lines)])
    assert looked_at.stored == searched.stored
    assert looked_at.lines == searched.lines + 1
    assert filtered(looked_at) == filtered(searched) + Counter(not_json=1)

    with_a_mark = fed(pipeline(rule), [text(*lines, b"x stdout P")])  # no part: it has no content
    assert (with_a_mark.stored, with_a_mark.lines) == (looked_at.stored, looked_at.lines)
    assert filtered(with_a_mark) == filtered(looked_at)


def filtered(found: Sum) -> Counter[str]:
    """The reasons; the first lines of a block decide whether JSON is of an unknown format, so that counts as one."""
    reasons = Counter(found.reasons)
    unmatched = reasons.pop("unknown_format", 0) + reasons.pop("no_match", 0)
    return reasons + Counter(no_match=unmatched)


def test_every_cut_of_a_file_into_blocks_gives_the_same() -> None:
    lines = [
        cri(b'{"response_flags":"UT","downstream_peer_uri_san":"1"}'),
        cri(b'{"response_fl', b"P"),
        cri(b'{"response_flags":"U', b"P:x", b"stderr", b"2026-11-23T10:30:00.2Z"),
        cri(b'ags":"U', b"P"),
        b'{"response_flags":"UT","start_time":"2026-11-23T10:30:00Z"}',
        cri(b'T"}', b"F", b"stderr"),
        cri(b'[2026-11-23T10:30:00.123Z] "GET / HTTP/1.1" 504 UT', b"F", b"stderr"),
        cri(b'T","connection_termination_details":"2"}', b"F:x"),
        b"",
        cri(b'{"response_flags":"\\u0055T"}', b"P"),
    ]
    expected = Reading(UT, lines).sum
    assert (expected.lines, expected.reasons.total()) == (7, 2)
    for count in range(len(lines)):
        for cuts in itertools.combinations(range(1, len(lines)), count):
            assert without_cause(fed(pipeline(), cut(lines, cuts))) == expected, cuts


def test_every_line_of_the_corpus_is_judged_as_the_corpus_says() -> None:
    path = Path(__file__).parent.parent / "corpus" / "envoy.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    admission = Admission(("failure_reason", "side"), 100, 100)
    pipe = Pipeline(MTLS, admission, (), 1 << 20).open(TARGET)
    found = pipe.feed(block(text(*(cri(row["line"].encode()) for row in rows))), NOW)
    kept = {
        (parse(labels)["failure_reason"], entry.line.decode())
        for labels in found.streams
        for entry in found.streams[labels]
    }
    assert kept == {(row["failure_reason"], row["line"]) for row in rows if row["keep"]}
    assert found.filtered == Counter(no_match=len(rows) - found.kept)
