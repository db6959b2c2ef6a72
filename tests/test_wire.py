"""What is written by hand must mean to protobuf what the entries mean."""

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shipper.model import Columns, Entry
from shipper.push_pb2 import PushRequest
from shipper.times import SECOND
from shipper.wire import decode_entries, encode_entries, stream_head, varint
from tests.tickets import columns_of

ROOT = Path(__file__).parent.parent
LAST_SECOND = 253_402_300_799  # of the year 9999: the end of protobuf's time
LATE = 1_790_000_000 * SECOND
EDGES = [(1 << bits) + step for bits in (7, 14, 21, 28) for step in (-1, 0, 1)]
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ENTRIES = st.builds(
    Entry,
    nanos=st.one_of(
        st.integers(-62_135_596_800 * SECOND, LAST_SECOND * SECOND),
        st.integers(0, 1 << 31),
        st.sampled_from(EDGES),
    ),
    line=st.one_of(TEXT, st.sampled_from([127, 128, 16_383, 16_384, 300_000]).map("x".__mul__)).map(str.encode),
    metadata=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)


def encode(labels: str, kept: Columns) -> bytes:
    entries = encode_entries(kept)
    return stream_head(labels, len(entries)) + entries


def read(body: bytes) -> tuple[str, list[Entry]]:
    (stream,) = PushRequest.FromString(body).streams
    return stream.labels, [
        Entry(
            entry.timestamp.seconds * SECOND + entry.timestamp.nanos,
            entry.line,
            tuple((pair.name, pair.value) for pair in entry.structured_metadata),
        )
        for entry in stream.entries
    ]


MANY = st.lists(ENTRIES, max_size=5) | st.integers(1, 600).map(
    lambda many: [Entry(LATE + at * 7_654_321, b"x" * (at % 200)) for at in range(many)]
)


@given(TEXT, MANY)
def test_protobuf_reads_what_was_encoded(labels: str, entries: list[Entry]) -> None:
    assert read(encode(labels, columns_of(entries))) == (labels, entries)


@given(st.lists(st.integers(1 << 28, SECOND - 1), min_size=1, max_size=300), st.booleans())
def test_bytes_are_those_protobuf_writes_where_nanoseconds_need_five(fractions: list[int], with_metadata: bool) -> None:
    metadata = (("pod", "a"),) if with_metadata else ()
    entries = [Entry(1_700_000_000 * SECOND + fraction, b"line", metadata) for fraction in fractions]
    request = PushRequest()
    stream = request.streams.add(labels='{job="x"}')
    for entry in entries:
        pushed = stream.entries.add(line=entry.line)
        pushed.timestamp.seconds, pushed.timestamp.nanos = divmod(entry.nanos, SECOND)
        for name, value in metadata:
            pushed.structured_metadata.add(name=name, value=value)
    assert encode('{job="x"}', columns_of(entries)) == request.SerializeToString()


@given(st.integers(0, SECOND - 1) | st.sampled_from(EDGES), st.integers(0, SECOND - 1))
def test_an_entrys_size_does_not_depend_on_its_nanoseconds(one: int, other: int) -> None:
    sizes = {len(encode_entries(Columns([1_700_000_000 * SECOND + nanos], [b"line"]))) for nanos in (one, other)}
    assert len(sizes) == 1


def test_more_lengths_of_lines_than_are_cached() -> None:
    lines = [b"x" * length for length in (*range(5000), *range(5000))]
    kept = Columns([LATE] * len(lines), lines)
    assert decode_entries(encode_entries(kept)) == kept


@given(MANY)
def test_decoded_entries_are_those_encoded(entries: list[Entry]) -> None:
    assert list(decode_entries(encode_entries(columns_of(entries)))) == entries


@given(st.integers(-(1 << 63), (1 << 64) - 1))
def test_a_varint_is_as_short_as_can_be(number: int) -> None:
    written = varint(number)
    assert len(written) == max(1, -(-(number % (1 << 64)).bit_length() // 7))
    assert sum((byte & 127) << 7 * place for place, byte in enumerate(written)) == number % (1 << 64)
    assert [byte >> 7 for byte in written] == [1] * (len(written) - 1) + [0]


def test_broken_utf8_goes_as_it_is() -> None:
    kept = Columns([1], [b"\xff\xfe\xc3("])
    assert kept.lines[0] in encode("{}", kept)
    assert decode_entries(encode_entries(kept)) == kept


def test_a_lone_surrogate_in_a_label_does_not_stop_the_push() -> None:
    assert read(encode('{app="\ud800"}', Columns([1], [b"x"])))[0] == '{app="?"}'


def test_the_generated_module_is_of_the_schema_as_it_is(tmp_path: Path) -> None:
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"--python_out={tmp_path}"]
    subprocess.run([*protoc, f"--pyi_out={tmp_path}", "push.proto"], check=True)
    for made in tmp_path.iterdir():
        assert made.read_text() == (ROOT / "shipper" / made.name).read_text(), "run: make proto"
    assert sorted(made.name for made in tmp_path.iterdir()) == ["push_pb2.py", "push_pb2.pyi"]
