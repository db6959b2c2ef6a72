"""Access-log JSON to the fields we use.

Tolerant of Envoy's versions: null, missing, `-` and the empty string mean the same; a number means its digits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from shipper.fields import KEYS

Record = Mapping[str, object]

Loads = Callable[[bytes], Any]
"""Reads a JSON text; raises ValueError when it is none."""


def parse_record(content: bytes, loads: Loads = orjson.loads) -> Record | None:
    """The JSON object; None when the content is none. Of equal keys the last counts."""
    try:
        record = loads(content)
    except ValueError:
        return None
    return record if type(record) is dict else None


def mapped_loads(fields: Mapping[str, str]) -> Loads:
    """Reads a format whose keys have other names: `fields` is ours to theirs.

    Ours is a key of Istio's access log, or a field of ours that is read from one. Theirs is a key, or a path of keys
    with dots between into nested objects; a key that holds the dots itself comes first. Without fields: orjson's own.
    """
    if not fields:
        return orjson.loads
    sources = [(KEYS.get(name, name), theirs, theirs.split(".")) for name, theirs in fields.items()]

    def loads(content: bytes) -> object:
        record = orjson.loads(content)
        return with_mapped(record) if type(record) is dict else record

    def with_mapped(record: dict[str, object]) -> dict[str, object]:
        found = {key: value for key, theirs, path in sources if (value := _at(record, theirs, path)) is not None}
        return record | found

    return loads


def _at(record: Mapping[str, object], key: str, path: list[str]) -> object:
    """The value of the key, or at the path; None where there is none."""
    if key in record:
        return record[key]
    value: object = record
    for step in path:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def text(record: Record, key: str) -> str:
    """The value as text; empty for a value that says nothing, and for a list, an object or a boolean."""
    value = record.get(key)
    if type(value) is str:
        return "" if value == "-" else value
    if type(value) is int or type(value) is float:
        return str(value)
    return ""


LINE_KEYS: Final = ("log", "message", "msg")
"""Where docker, Fluent Bit and others keep a line that they have put into a record of their own."""


def texts(record: Record, keys: Sequence[str]) -> Iterator[bytes]:
    """The lines that stand as text under these keys, in their order."""
    for key in keys:
        value = record.get(key)
        if type(value) is str:
            yield value.rstrip("\r\n").encode(errors="replace")


def source_ip(record: Record) -> str:
    """The client's address without its port."""
    return without_port(text(record, "downstream_remote_address"))


def without_port(address: str) -> str:
    """`10.244.2.9:41512`, `[fd00::7]:41512` and `10.244.2.9` to the address alone."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        return address
    return host.strip("[]")
