"""Access-log JSON to the fields we use.

Tolerant of Envoy's versions: null, missing, `-` and the empty string mean the same; a number means its digits.
"""

from collections.abc import Mapping

import orjson

Record = Mapping[str, object]


def parse_record(content: bytes) -> Record | None:
    """The JSON object; None when the content is none. Of equal keys the last counts."""
    try:
        record = orjson.loads(content)
    except ValueError:
        return None
    return record if type(record) is dict else None


def text(record: Record, key: str) -> str:
    """The value as text; empty for a value that says nothing, and for a list, an object or a boolean."""
    value = record.get(key)
    if type(value) is str:
        return "" if value == "-" else value
    if type(value) is int or type(value) is float:
        return str(value)
    return ""


def source_ip(record: Record) -> str:
    """The client's address without its port."""
    return without_port(text(record, "downstream_remote_address"))


def without_port(address: str) -> str:
    """`10.244.2.9:41512`, `[fd00::7]:41512` and `10.244.2.9` to the address alone."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        return address
    return host.strip("[]")
