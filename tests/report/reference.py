"""The same figures, found slowly: every line is read and explained, nothing is folded while reading."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from lab.outage import Written
from shipper.explain.report import Report, explain
from shipper.explain.verdict import HANDSHAKE_FAILURE
from shipper.reading.lines import Readable, read

Row = tuple[str, str, str, str]
"""Reason, side, client and server."""


@dataclass
class Figures:
    """What a report must say."""

    rows: dict[Row, list[tuple[int, str, str]]] = field(default_factory=lambda: defaultdict(list))
    issuers: Counter[str] = field(default_factory=Counter)

    @property
    def connections(self) -> int:
        """Failed ones, each once."""
        return sum(map(len, self.rows.values()))


def figures(lines: Iterable[Written]) -> Figures:
    """Time, address and pod of each failed connection, by row; connections by issuer."""
    found, seen = Figures(), set()
    failed = [(line, said) for line in lines if (said := _explained(line)) and said.verdict == HANDSHAKE_FAILURE]
    identity = {line.pod: said.to.san for line, said in failed if said.to.san}
    for line, said in failed:
        connection = (line.pod, said.side, said.time, said.who.address)
        if connection in seen:
            continue
        seen.add(connection)
        address = (said.who.address or "").rpartition(":")[0]
        row = (said.failure_reason or "", said.side or "", said.who.san or address, said.to.san or identity[line.pod])
        found.rows[row].append((line.nanos, address, line.pod))
        found.issuers[said.who.issuer or ""] += 1
    return found


def _explained(line: Written) -> Report | None:
    found = next(read([line.content]))
    return explain(found) if isinstance(found, Readable) else None
