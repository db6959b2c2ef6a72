"""Reads a line of an access log, Envoy's JSON or Istio's default text or ztunnel's, as far as the lab needs it.

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
_OF_ZTUNNEL = re.compile(
    r"\S+\t\w+\taccess\t[^\t]+\tsrc\.addr=(?P<source>\S+)(?: src\.\w+=\S+)* dst\.addr=(?P<destination>\S+).*?"
    r'(?: error="(?P<error>.*)")?'
)
_SET_ALWAYS = ("response_flags",)  # here `-` is a value


def decode(line: bytes | str) -> Record:
    """The record of a line; an empty one when it is of neither format."""
    text = line.decode(errors="replace") if isinstance(line, bytes) else line
    if text.startswith("{"):
        record: Record = orjson.loads(text)
        if record.get("scope") == "access":
            return _of_ztunnel(record.get("src.addr"), record.get("dst.addr"), record.get("error"))
        return record
    if ztunnels := _OF_ZTUNNEL.fullmatch(text):
        return _of_ztunnel(*ztunnels.group("source", "destination", "error"))
    found = _TEXT.fullmatch(text)
    return {key: _value(key, value) for key, value in found.groupdict().items()} if found else {}


def is_of_ztunnel(record: Record) -> bool:
    """Whether the record is of a line that a ztunnel wrote."""
    return record.get("proxy") == "ztunnel"


def _of_ztunnel(source: str | None, destination: str | None, error: str | None) -> Record:
    """What the lab needs of it, under Envoy's keys, and the error."""
    ends = {"downstream_remote_address": source, "downstream_local_address": destination}
    return {"proxy": "ztunnel", **ends, "response_flags": "-", "error": error}


def _value(key: str, value: str) -> str | int | None:
    if key == "response_code":
        return int(value)
    return None if value == "-" and key not in _SET_ALWAYS else value
