import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.corpus import Corpus, Spec, write
from benchmarks.end_to_end import Misdelivered, run
from benchmarks.shipper import Job, Shipper, agent
from benchmarks.sink import Sink


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write(Spec(size=400_000, pods=4, share=0.05, began=int(time.time()) - 600), tmp_path / "pods")


def test_the_agent_delivers_exactly_what_is_expected(corpus: Corpus, sink: Sink, tmp_path: Path) -> None:
    result = run(agent(), corpus, sink, tmp_path)
    assert (result.size, result.lines, result.entries) == (corpus.size, corpus.lines, corpus.expected.entries)
    assert result.pushes >= len(corpus.expected.streams)
    assert result.pushed > 0
    assert result.peak > 1 << 20
    assert 0 < result.first_push < result.wall
    assert result.cpu > 0


def test_what_is_not_delivered_is_no_result(corpus: Corpus, sink: Sink, tmp_path: Path) -> None:
    corpus.files[0].write_bytes(b"".join(corpus.files[0].read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(Misdelivered, match="1 streams are wrong"):
        run(agent(), corpus, sink, tmp_path)


def test_a_shipper_that_stays_is_stopped_when_all_has_arrived(corpus: Corpus, sink: Sink, tmp_path: Path) -> None:
    result = run(agent(once=False), corpus, sink, tmp_path)
    assert result.entries == corpus.expected.entries


def test_a_shipper_that_fails_is_no_result(corpus: Corpus, sink: Sink, tmp_path: Path) -> None:
    def fail(_: Job) -> list[str]:
        return [sys.executable, "-c", "raise SystemExit(1)"]

    for ends in (True, False):
        with pytest.raises(Misdelivered):
            run(Shipper("broken", fail, ends=ends), corpus, sink, tmp_path)
