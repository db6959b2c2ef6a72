"""A line that the agent has kept: why it failed, and in one row who failed at whom."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import orjson

from shipper.explain.fold import pair_of
from shipper.explain.report import Report, explain
from shipper.pipeline.gateways import is_gateway
from shipper.pipeline.record import Loads
from shipper.reading.lines import Readable, read
from shipper.reading.origin import Origin, peer_of

UNKNOWN: Final = "?"

_IDENTITY: Final = re.compile(r"spiffe://cluster\.local/ns/([^/]+)/sa/([^/]+)")


class Row(NamedTuple):
    """One failure in short; what is not known is `?`."""

    who: str
    whom: str
    why: str


def explain_kept(line: bytes, labels: Mapping[str, str], loads: Loads = orjson.loads) -> Report | None:
    """The report of a line of a stream with these labels, its JSON read by `loads`; None where it cannot be read."""
    origin = Origin(labels.get("namespace"), labels.get("pod"), peer=peer_of(labels))
    found = next(read([line], loads, origin), None)
    if not isinstance(found, Readable):
        return None
    return explain(replace(found, is_gateway=found.is_gateway or is_gateway(labels)))


def row_of(report: Report | None, labels: Mapping[str, str]) -> Row:
    """The client, what it called, and why that failed; the proxy's own side by its workload, as its labels name it."""
    workload = "/".join(filter(None, (labels.get("namespace"), labels.get("app") or labels.get("pod"))))
    if report is None:
        return Row(UNKNOWN, workload or UNKNOWN, labels.get("failure_reason", UNKNOWN))
    pair = pair_of(report)
    who, whom = (_IDENTITY.sub(r"\1/\2", name) for name in (pair.who, pair.whom))
    why = labels.get("failure_reason") or report.failure_reason or labels.get("response_flags", UNKNOWN)
    if report.side == "downstream":
        return Row(who or UNKNOWN, (whom if report.to.san else workload or whom) or UNKNOWN, why)
    return Row(workload or who or UNKNOWN, whom or UNKNOWN, why)
