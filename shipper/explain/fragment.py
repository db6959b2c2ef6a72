"""What can be read of a text access log in another format, or of one that was cut off: code, flags, and TLS' own words.

For a person who has pasted a line. The agent does not ship by it: a client can write whole fields of such a line.
"""

import re
from typing import Final

from shipper.explain.flags import FLAGS

_FLAG: Final = "|".join(FLAGS)
_OUTCOME: Final = re.compile(rf'" (?P<code>\d{{1,3}}) (?P<flags>-|(?:{_FLAG})(?:,(?:{_FLAG}))*)(?= |$)')
_TIME: Final = re.compile(r"\[(\d{4}-\d\d-\d\dT[^\] ]*)\] ")
_REASON: Final = re.compile(r'"(TLS[_ ]error:[^"]*)"')
_DETAILS: Final = re.compile(r" ([a-z][a-z_]*(?:\{[^}]*\})?)(?= |$)")


def parse_fragment(content: bytes) -> dict[str, object] | None:
    """The record, with the keys of Istio's JSON format; None where there is no response code and flags, or twice."""
    line = content.decode("utf-8", "replace")
    found = list(_OUTCOME.finditer(line))
    if len(found) != 1:
        return None
    code, flags = found[0]["code"], found[0]["flags"]
    rest = line[found[0].end() :]
    record: dict[str, object] = {"response_code": int(code), "response_flags": flags}
    if time := _TIME.match(line):
        record["start_time"] = time[1]
    if reason := _REASON.search(rest):
        record["upstream_transport_failure_reason"] = reason[1]
    if details := _DETAILS.match(rest):
        record["response_code_details"] = details[1]
    return record
