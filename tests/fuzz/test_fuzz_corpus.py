"""What a fuzzer has found worth keeping is tried each time: nothing raises, the ledger closes, blocks do not matter."""

from pathlib import Path

import pytest

from shipper.pipeline.scan import lines_at
from tests.fuzz.target import check

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


def test_there_is_a_corpus_and_it_is_small() -> None:
    assert 50 <= len(CORPUS) <= 250
    assert sum(path.stat().st_size for path in CORPUS) < 1 << 20


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_promises_hold_for_what_was_found(path: Path) -> None:
    check(path.read_bytes())


def test_the_oracle_sees_a_line_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that can not fail is none: here the search for candidates finds nothing in a block of one line."""

    def lines_of_more_than_one(data: memoryview, ends: list[int]) -> object:
        return lines_at(data, ends) if bytes(data).count(b"\n") > 1 else []

    monkeypatch.setattr("shipper.pipeline.pipeline.lines_at", lines_of_more_than_one)
    line = b'2026-11-23T10:30:00Z stdout F {"response_flags":"UT"}'
    with pytest.raises(AssertionError, match="depends"):
        check(b"\0\0" + line + b"\n" + line)
