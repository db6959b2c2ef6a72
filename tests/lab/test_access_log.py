import json
from pathlib import Path
from typing import Any

import pytest

from lab.access_log import decode

CORPUS = Path(__file__).parent.parent / "corpus" / "istio_text.jsonl"
READABLE = [one for one in map(json.loads, CORPUS.read_text().splitlines()) if one["readable"]]


@pytest.mark.parametrize("one", READABLE, ids=lambda one: one["what"])
def test_a_text_line_says_what_its_json_twin_does(one: dict[str, Any]) -> None:
    record, twin = decode(one["line"]), json.loads(one["json"])
    assert record
    assert {key: twin[key] for key in record.keys() & twin.keys()} == {key: record[key] for key in record.keys() & twin}


def test_json_is_taken_as_it_is() -> None:
    assert decode(b'{"response_flags":"UT"}') == {"response_flags": "UT"}


def test_what_is_no_access_log_is_empty() -> None:
    assert decode(b"info cache generated new workload certificate") == {}
