"""Istio's default text access log, of all its versions, to the record its JSON twin has.

    [TIME] "METHOD PATH PROTOCOL" CODE FLAGS CAUSE RECEIVED SENT DURATION SERVICE_TIME
    "FORWARDED_FOR" "USER_AGENT" "REQUEST_ID" "AUTHORITY" "UPSTREAM_HOST" CLUSTER UPSTREAM_LOCAL LOCAL REMOTE SNI ROUTE

CAUSE is `DETAILS TERMINATION "UPSTREAM_REASON"` since Istio 1.9, `"UPSTREAM_REASON"` in 1.8, `"MIXER_STATUS"
"UPSTREAM_REASON"` before; Istio before 1.4 has no ROUTE. Envoy's own default has no CAUSE, and nothing behind the
upstream host.

Envoy escapes nothing here, and the client chooses the path, the user agent, the request id and the list of forwarders:
a header may hold quotes and blanks, and look like the end of one field and the next six. So the two groups of fields
that the client does not write are searched for in the whole line. A line in which either matches twice is ambiguous,
and is not read at all. Knows nothing of CRI prefixes, nor what a record means.
"""

import re
from typing import Final

_TIME: Final = re.compile(r'\[(\d{4}-\d\d-\d\dT[^\] ]*)\] "')
_REQUEST: Final = re.compile(r"([^ ]+) (.+) (-|HTTP/[0-9.]+)")

# From the quote after the protocol to the quote before the forwarders. The termination details are bare words with
# blanks between; the reason may hold quotes that a peer has put into its SAN, but Envoy leaves no blank beside them.
_OUTCOME: Final = re.compile(
    r"""(?= " [ ] (?P<response_code>\d{1,3}) [ ] (?P<response_flags>[A-Za-z0-9_,-]+) [ ]
            (?: (?: (?P<response_code_details>(?!")[^ ]+) [ ] (?P<connection_termination_details>(?:[^" ]++ [ ])++)
                  | (?: "[^"]*" [ ] )? )
                " (?P<upstream_transport_failure_reason>(?: [^" ]++ | "(?![ ]) | [ ](?!") )*+) " [ ] )?
            (?P<bytes_received>\d+) [ ] (?P<bytes_sent>\d+) [ ] (?P<duration>\d+|-) [ ]
            (?P<upstream_service_time>[^" ]+) [ ] (?P<forwarders>") )""",
    re.VERBOSE,
)

# From the quote after the request id to the end. Envoy keeps blanks out of the SNI; a route is named by its owner.
_ENDS: Final = re.compile(
    r"""(?= " [ ] "(?P<authority>[^" ]*)" [ ] "(?P<upstream_host>[^" ]*)"
            (?: [ ] (?P<upstream_cluster>[^" ]+) [ ] (?P<upstream_local_address>[^" ]+)
                [ ] (?P<downstream_local_address>[^" ]+) [ ] (?P<downstream_remote_address>[^" ]+)
                (?: [ ] (?P<requested_server_name>[^ ]+) (?: [ ] (?P<route_name>.+) )? )? )? [ ]* \Z )""",
    re.VERBOSE,
)

_REQUEST_KEYS: Final = ("method", "path", "protocol")
_CLIENT_KEYS: Final = ("x_forwarded_for", "user_agent", "request_id")
_NUMBERS: Final = frozenset({"response_code", "bytes_received", "bytes_sent", "duration"})


def parse_text_line(content: bytes) -> dict[str, object] | None:
    """The record of a line without its newline, with the keys and types of Istio's JSON format: `-` is None, but for
    `response_flags`, whose none is `-` there too. Keys that the version does not write are left out.

    None for any other text, and for an ambiguous line. Where only the forwarders, the user agent and the request id
    cannot be told apart, their keys are left out. Bytes that are not UTF-8 become U+FFFD.
    """
    line = content.decode("utf-8", "replace")
    opening = _TIME.match(line)
    outcome = _only(_OUTCOME, line, opening.end() - 1) if opening else None
    ends = _only(_ENDS, line, outcome.end("forwarders") - 1) if outcome else None
    if opening is None or outcome is None or ends is None:
        return None
    request = _REQUEST.fullmatch(line, opening.end(), outcome.start())
    if request is None:
        return None
    record: dict[str, object] = {"start_time": opening[1]}
    record |= zip(_REQUEST_KEYS, map(_value, request.groups()), strict=True)
    record |= _values(outcome)
    del record["forwarders"]
    record |= _values(ends)
    client = line[outcome.end("forwarders") : ends.start()].split('" "')
    if len(client) == len(_CLIENT_KEYS):
        record |= zip(_CLIENT_KEYS, map(_value, client), strict=True)
    record["response_flags"] = record["response_flags"] or "-"
    for key in _NUMBERS:
        record[key] = _number(record[key])
    return record


def _only(pattern: re.Pattern[str], line: str, start: int) -> re.Match[str] | None:
    """The only match from `start` on; None if there is none, or a second one."""
    found = pattern.finditer(line, start)
    first = next(found, None)
    return first if next(found, None) is None else None


def _values(found: re.Match[str]) -> dict[str, object]:
    """The named groups; those that this version does not write are left out."""
    return {key: _value(text) for key, text in found.groupdict().items() if text is not None}


def _value(text: str | None) -> str | None:
    text = (text or "").rstrip(" ")
    return None if text == "-" else text


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, str) else None
