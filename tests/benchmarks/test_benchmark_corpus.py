from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from benchmarks.corpus import SECOND, Corpus, Pod, Spec, cri_line, write
from benchmarks.tally import Tally
from benchmarks.ztunnel import Form
from shipper.pipeline.cri import split_line
from shipper.pipeline.keep import MTLS
from shipper.pipeline.scan import Scanner
from shipper.pipeline.ztunnel import classify, parse_ztunnel_line
from shipper.times import parse_time

SPEC = Spec(size=300_000, pods=3, share=0.05, began=1_790_000_000, decoys=0.05)


def read(corpus: Corpus) -> list[tuple[Path, list[bytes]]]:
    return [(path, path.read_bytes().splitlines()) for path in corpus.files]


def test_the_same_specification_gives_the_same_bytes(tmp_path: Path) -> None:
    first, again = write(SPEC, tmp_path / "first"), write(SPEC, tmp_path / "again")
    assert [path.relative_to(tmp_path / "first") for path in first.files] == [
        path.relative_to(tmp_path / "again") for path in again.files
    ]
    assert [path.read_bytes() for path in first.files] == [path.read_bytes() for path in again.files]
    assert first.expected.streams == again.expected.streams


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    other = Spec(size=300_000, pods=3, share=0.05, began=1_790_000_000, decoys=0.05, seed=2)
    first, second = write(SPEC, tmp_path / "first"), write(other, tmp_path / "second")
    assert not {path.name for path in (tmp_path / "first").iterdir()} & {
        path.name for path in (tmp_path / "second").iterdir()
    }
    assert first.expected.streams.keys().isdisjoint(second.expected.streams)


def test_size_and_lines_are_those_of_the_files(tmp_path: Path) -> None:
    corpus = write(SPEC, tmp_path / "corpus")
    assert corpus.size == sum(path.stat().st_size for path in corpus.files)
    assert corpus.size == pytest.approx(SPEC.size, rel=0.02)
    assert corpus.lines == sum(len(lines) for _, lines in read(corpus))


def test_every_line_is_cri_and_json_and_times_rise(tmp_path: Path) -> None:
    for _, lines in read(write(SPEC, tmp_path / "corpus")):
        parts = [part for line in lines if (part := split_line(line))]
        times = [parse_time(part.time) or 0 for part in parts]
        assert len(parts) == len(lines)
        assert all(orjson.loads(part.content)["method"] == "GET" for part in parts)
        assert all(one < after for one, after in pairwise(times))


def test_what_is_expected_is_what_parsing_every_line_finds(tmp_path: Path) -> None:
    corpus, found = write(SPEC, tmp_path / "corpus"), Tally()
    pods = {pod.log(corpus.root): pod for pod in (Pod.of(number, SPEC.seed) for number in range(SPEC.pods))}
    for path, lines in read(corpus):
        for part in filter(None, map(split_line, lines)):
            record = orjson.loads(part.content)
            if record["response_flags"] == "UT":
                labels = pods[path].labels(record["downstream_peer_uri_san"])
                found.add(labels, parse_time(part.time) or 0, part.content)
    assert not list(corpus.expected.differences(found))


def test_there_are_decoys_and_each_file_ends_with_a_kept_line(tmp_path: Path) -> None:
    corpus = write(SPEC, tmp_path / "corpus")
    suspects = [line for _, lines in read(corpus) for line in lines if b'"UT' in line or b"\\u00" in line]
    assert len(suspects) > corpus.expected.entries
    assert all(orjson.loads(lines[-1].split(b" ", 3)[3])["response_flags"] == "UT" for _, lines in read(corpus))


@pytest.mark.parametrize(("share", "kept"), [(0.0, 0), (1.0, 357)])
def test_none_and_all_are_kept_when_that_is_asked(tmp_path: Path, share: float, kept: int) -> None:
    spec = Spec(size=300_000, pods=3, share=share, began=1_790_000_000)
    assert write(spec, tmp_path / "corpus").expected.entries == kept


@pytest.mark.parametrize(
    ("fraction", "text"),
    [(0, b"00Z"), (120_000_000, b"00.12Z"), (1, b"00.000000001Z"), (999_999_999, b"00.999999999Z")],
)
def test_times_are_written_as_go_does(fraction: int, text: bytes) -> None:
    assert cri_line(1_790_000_040 * SECOND + fraction, b"x").split()[0].endswith(b":" + text)


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_ztunnels_log_is_of_lines_that_the_agent_reads_and_keeps_none_of(tmp_path: Path, form: Form) -> None:
    spec = Spec(size=300_000, pods=3, share=0.0, decoys=0.0, began=1_790_000_000, ztunnel=form)
    corpus = write(spec, tmp_path / "corpus")
    lines = [part.content for _, each in read(corpus) for line in each if (part := split_line(line))]
    fields = [parse_ztunnel_line(line) for line in lines]
    assert len(fields) == corpus.lines
    assert corpus.size == pytest.approx(spec.size, rel=0.02)
    assert not corpus.expected.entries
    assert all(one and one["message"] == "connection complete" and classify(one) is None for one in fields)
    assert {str(one and one["direction"]) for one in fields} == {"inbound", "outbound"}
    assert len(set(lines)) > len(lines) / 2
    assert not any(Scanner(MTLS.patterns).matches(line) for line in lines)


def test_a_ztunnels_log_with_kept_lines_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="healthy"):
        write(Spec(size=1, pods=1, share=0.1, began=0, ztunnel="text"), tmp_path / "corpus")
