import json
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from benchmarks.sink import DIRECT, PROTOBUF, Sink
from benchmarks.tally import Tally, label_key
from shipper.entries import Entries, push_body
from shipper.model import Entry
from tests.tickets import columns_of, ticket

LABELS = {"app": 'a"b', "job": "mesh"}
TEXT = '{app="a\\"b", job="mesh"}'
ENTRIES = [Entry(1_790_000_000_123_456_789, b'{"x":1}'), Entry(1_790_000_000_123_456_790, "é".encode())]
BODY = push_body(TEXT, [Entries(TEXT, columns_of(ENTRIES), ticket())])


@pytest.fixture(scope="module")
def process() -> Iterator[Sink]:
    with Sink() as sink:
        yield sink


@pytest.fixture
def sink(process: Sink) -> Sink:
    process.reset()
    return process


def post(sink: Sink, kind: str, body: bytes) -> int:
    request = Request(sink.url, body, {"Content-Type": kind})
    with DIRECT.open(request, timeout=10) as answer:
        return int(answer.status)


def expected() -> Tally:
    tally = Tally()
    for nanos, line, _ in ENTRIES:
        tally.add(label_key(LABELS), nanos, line)
    return tally


def test_protobuf_arrives_to_the_nanosecond(sink: Sink) -> None:
    assert post(sink, PROTOBUF, BODY) == 204
    arrived, delays = sink.arrived()
    assert not list(expected().differences(arrived))
    assert len(delays) == 2


def test_json_arrives_as_protobuf_does(sink: Sink) -> None:
    values = [[str(nanos), line.decode()] for nanos, line, _ in ENTRIES]
    body = json.dumps({"streams": [{"stream": {**LABELS, "source_san": ""}, "values": values}]})
    post(sink, "application/json", body.encode())
    assert not list(expected().differences(sink.arrived()[0]))


def test_an_entry_that_comes_twice_shows(sink: Sink) -> None:
    for _ in range(2):
        post(sink, PROTOBUF, BODY)
    assert list(expected().differences(sink.arrived()[0]))
    seen = sink.seen()
    assert (seen.entries, seen.pushes) == (4, 2)
    assert seen.size > 0
    assert seen.first > 0


def test_a_reset_forgets_everything(sink: Sink) -> None:
    post(sink, PROTOBUF, BODY)
    sink.reset()
    seen = sink.seen()
    assert (seen.entries, seen.pushes, seen.size, seen.first) == (0, 0, 0, 0)
    assert not sink.arrived()[0].streams


def test_a_body_that_cannot_be_decoded_is_an_error_and_not_nothing(sink: Sink) -> None:
    post(sink, PROTOBUF, b"nonsense")
    with pytest.raises(HTTPError):
        sink.seen()
