"""What a fuzzer has found worth keeping is tried each time: nothing raises, the ledger closes, blocks do not matter."""

from pathlib import Path

import pytest

from tests.fuzz.target import check

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


def test_there_is_a_corpus_and_it_is_small():
    assert 50 <= len(CORPUS) <= 200
    assert sum(path.stat().st_size for path in CORPUS) < 1 << 20


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_the_promises_hold_for_what_was_found(path):
    check(path.read_bytes())


def test_the_oracle_sees_a_line_that_is_lost(monkeypatch):
    """A check that can not fail is none: here the search for candidates finds nothing in a block of one line."""
    import shipper.pipeline.pipeline as pipeline

    whole = pipeline.lines_at
    monkeypatch.setattr(
        pipeline, "lines_at", lambda data, ends: whole(data, ends) if bytes(data).count(b"\n") > 1 else []
    )
    line = b'2026-11-23T10:30:00Z stdout F {"response_flags":"UT"}'
    with pytest.raises(AssertionError, match="depends"):
        check(b"\0\0" + line + b"\n" + line)
