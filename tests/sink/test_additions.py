"""What is left out when Loki refuses it."""

import logging

import pytest

from shipper.entries import Entries
from shipper.model import Entry
from shipper.sink.additions import METADATA_REMEMBERED_FOR, Additions
from shipper.sink.batch import Batch
from tests.sink.clock import Clock
from tests.tickets import columns_of, ticket

LABELS = '{app="a", pod="a, \\"b\\"}", source_san="spiffe://a-long-name/ns/shop"}'


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def additions(clock: Clock) -> Additions:
    return Additions(clock)


def batch(*, labels: str = LABELS, metadata: tuple[tuple[str, str], ...] = (("pod", "x"),)) -> Batch:
    part = Entries(labels, columns_of([Entry(1, b"line", metadata), Entry(2, b"other", metadata)]), ticket())
    return Batch(labels, [part], 0.0, part.size)


def reduced(additions: Additions, refused: Batch, reason: str, *, all_refused: bool = True) -> Batch | None:
    return additions.reduced(LABELS, refused, [reason], "the answer", all_refused=all_refused)


@pytest.mark.parametrize("reason", ["structured_metadata_disallowed", "structured_metadata_too_many"])
def test_metadata_that_is_refused_is_left_out_of_what_follows(
    additions: Additions, clock: Clock, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        bare = reduced(additions, batch(), reason)
        assert bare is not None
        assert [*bare.unpacked()] == [Entry(1, b"line"), Entry(2, b"other")]
        assert bare.lacks == reason
    following = additions.adapted(batch())
    assert following.unpacked().metadata is None
    assert following.lacks == reason
    clock.now += METADATA_REMEMBERED_FOR
    assert additions.adapted(batch()).unpacked().metadata is not None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_what_is_too_large_of_some_entries_is_left_out_of_these_alone(additions: Additions) -> None:
    assert reduced(additions, batch(), "structured_metadata_too_large")
    assert reduced(additions, batch(), "structured_metadata_too_many", all_refused=False)
    assert additions.adapted(batch()).unpacked().metadata is not None


def test_a_repetition_stays_the_same_bytes(additions: Additions) -> None:
    reduced(additions, batch(), "structured_metadata_disallowed")
    sent = batch()
    sent.encoded()
    assert additions.adapted(sent) is sent


def test_without_metadata_nothing_can_be_left_out(additions: Additions) -> None:
    assert reduced(additions, batch(metadata=()), "structured_metadata_disallowed") is None


def test_labels_go_one_by_one_the_longest_first_until_one_is_left(additions: Additions) -> None:
    sent, seen = batch(), []
    while (fewer := reduced(additions, sent, "label_value_too_long")) is not None:
        seen.append(fewer.labels)
        assert additions.labels(LABELS) == (fewer.labels, "label_value_too_long")
        assert [*fewer.unpacked()] == [*sent.unpacked()]
        sent = fewer
    assert seen == ['{app="a", pod="a, \\"b\\"}"}', '{app="a"}']
    assert additions.labels('{app="another"}') == ('{app="another"}', "")
