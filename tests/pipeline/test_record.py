"""Access-log JSON to the fields we use, whatever the type of a value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.record import parse_record, source_ip, text

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXTS, TEXTS | st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1)))
def test_a_record_is_what_json_says(record: dict[str, object]) -> None:
    assert parse_record(json.dumps(record).encode()) == record
    assert parse_record(json.dumps(record, ensure_ascii=False, indent=1).encode()) == record


def test_of_equal_keys_the_last_counts() -> None:
    assert parse_record(b'{"a":"UT","\\u0061":"-"}') == {"a": "-"}


@pytest.mark.parametrize("content", [b" {} ", b"\t{}\r", b"{}"])
def test_blanks_around_the_object_do_no_harm(content: bytes) -> None:
    assert parse_record(content) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"null",
        b"5",
        b'"UT"',
        b"[]",
        b'["response_flags","UT"]',
        b'{"a":1',
        b'{"a":1}}',
        b'{"a":1} {"b":2}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":"b\0"}',
        b'{"a":"\\x55"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_no_record(content: bytes) -> None:
    assert parse_record(content) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("UT", "UT"),
        (" ", " "),
        ("--", "--"),
        ("-", ""),
        ("", ""),
        (None, ""),
        (0, "0"),
        (-17, "-17"),
        (1.5, "1.5"),
        (True, ""),
        (False, ""),
        ([], ""),
        (["UT"], ""),
        ({"a": "b"}, ""),
    ],
)
def test_null_missing_dash_and_empty_are_one(value: object, expected: str) -> None:
    assert text({"key": value}, "key") == expected
    assert text({}, "key") == ""


@given(ANY_JSON)
def test_no_value_of_any_type_raises(value: object) -> None:
    assert type(text({"key": value}, "key")) is str
    assert type(source_ip({"downstream_remote_address": value})) is str


@pytest.mark.parametrize(
    ("address", "ip"),
    [
        ("10.244.2.9:41512", "10.244.2.9"),
        ("10.244.2.9", "10.244.2.9"),
        ("[fd00::7]:41512", "fd00::7"),
        ("fd00::7", "fd00::7"),
        ("::1", "::1"),
        ("envoy://internal_client_address/", "envoy://internal_client_address/"),
        ("/var/run/proxy.sock", "/var/run/proxy.sock"),
        ("10.244.2.9:", "10.244.2.9:"),
        ("-", ""),
        (None, ""),
    ],
)
def test_the_source_address_without_its_port(address: str | None, ip: str) -> None:
    assert source_ip({"downstream_remote_address": address}) == ip
