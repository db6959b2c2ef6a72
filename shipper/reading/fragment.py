"""What can be read of an access log in another format, or of one that was cut off: code, flags, and TLS' own words.

For a person who has pasted a line. The agent does not ship by it: a client can write whole fields of such a line.
"""

import re
from typing import Final

from shipper.pipeline.record import Loads, Record, parse_record
from shipper.reading.bare import as_tls_error
from shipper.reading.flags import FLAGS

_FLAG: Final = "|".join(FLAGS)
_OUTCOME: Final = re.compile(rf'(?:^|" )(?P<code>\d{{1,3}}) (?P<flags>-|(?:{_FLAG})(?:,(?:{_FLAG}))*)(?= |$)')
_TIME: Final = re.compile(r"\[(\d{4}-\d\d-\d\dT[^\] ]*)\] ")
_REASON: Final = re.compile(r'"([^"]*(?:TLS[_ ]error:|SSL[_ ]routines|supplied by SDS)[^"]*)"')
_DETAILS: Final = re.compile(r" ([a-z][a-z_]*(?:\{[^}]*\})?)(?= |$)")
_TRIED: Final = 4  # commas behind which a cut JSON object is given up


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
        record["upstream_transport_failure_reason"] = as_tls_error(reason[1])
    if details := _DETAILS.match(rest):
        record["response_code_details"] = details[1]
    return record


def parse_cut_object(content: bytes, loads: Loads) -> Record | None:
    """The whole fields of a JSON object whose end was cut off."""
    end = len(content)
    for _ in range(_TRIED):
        end = content.rfind(b',"', 0, end)
        if end < 0:
            return None
        if record := parse_record(content[:end] + b"}", loads):
            return record
    return None
