"""Reads a line of an access log, JSON or Istio's default text, as far as the lab needs it.

Only for what the lab's own callers have made: a hostile header could lead it astray. Apart from the agent's parser on
purpose, which is held against it.
"""

import re
from typing import Any

import orjson

Record = dict[str, Any]

_TEXT = re.compile(
    r'\[(?P<start_time>\S+)\] "[^"]*" (?P<response_code>\d+) (?P<response_flags>\S+) (?P<response_code_details>\S+)'
    r' (?P<connection_termination_details>[^"]+) "(?P<upstream_transport_failure_reason>[^"]*)" .*'
    r" (?P<downstream_local_address>\S+) (?P<downstream_remote_address>\S+) (?P<requested_server_name>\S+) \S+"
)
_SET_ALWAYS = ("response_flags",)  # here `-` is a value


def decode(line: bytes | str) -> Record:
    """The record of a line; an empty one when it is of neither format."""
    text = line.decode(errors="replace") if isinstance(line, bytes) else line
    if text.startswith("{"):
        record: Record = orjson.loads(text)
        return record
    found = _TEXT.fullmatch(text)
    return {key: _value(key, value) for key, value in found.groupdict().items()} if found else {}


def _value(key: str, value: str) -> str | int | None:
    if key == "response_code":
        return int(value)
    return None if value == "-" and key not in _SET_ALWAYS else value
