"""The finished report: what every output shows. Its fields are the schema of `--output json`.

Times are RFC 3339, UTC. Names are those of the lines, unchanged: a peer may have chosen them.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

VERSION = 1  # of the schema


class Part(Struct, frozen=True, kw_only=True):
    """A part of the report: immutable."""


def _says(description: str) -> Meta:
    return Meta(description=description)


Text = Annotated[str, _says("empty: unknown")]
Time = Annotated[str | None, _says("RFC 3339, UTC; null: no line told a time")]
Trend = Annotated[tuple[int, ...], _says("connections in equal steps from the report's `begin` to its `end`")]
Side = Annotated[
    Literal["downstream", "upstream"],
    _says("of the proxy that saw it: downstream is the server's, upstream the client's"),
]
Share = Annotated[float, _says("of the failed connections of its side, 0 to 1")]
BySide = Annotated[
    dict[Side, int],
    _says("failed connections; a connection between two proxies may stand on both sides: never add them up"),
]


class Party(Part, frozen=True):
    """One end of connections."""

    name: Annotated[str, _says("an identity, `<namespace>/<app>`, a service's name or an address; empty: unknown")]
    kind: Annotated[
        Literal["identity", "workload", "service", "address", "unknown"],
        _says("of the name; an identity of a refused certificate is the peer's own claim"),
    ]


class Distinct(Part, frozen=True):
    """How many different ones."""

    count: int
    is_exact: Annotated[bool, _says("false: more than these")]


class Dates(Part, frozen=True):
    """The certificate of one of the row's connections."""

    subject: Text
    issuer: Text
    serial: Text
    begin: Text
    end: Text
    in_words: Annotated[str, _says("held against the time of the connection")]


class Row(Part, frozen=True):
    """Equal failures: one reason, on one side, between one pair."""

    reason: Annotated[str, _says("a `failure_reason`, see docs/failure-reasons.md")]
    side: Side
    client: Annotated[Party, _says("who connected")]
    server: Annotated[Party, _says("to whom")]
    connections: Annotated[int, _says("each counted once on its side")]
    share: Share
    first: Time
    last: Time
    goes_on: Annotated[
        bool | None,
        _says("whether it went on to the report's end, by its own pace; null: it happened once, or no time is known"),
    ]
    addresses: Annotated[Distinct, _says("of the peer")]
    pods: Annotated[Distinct, _says("whose logs tell of it")]
    trend: Trend
    is_new: Annotated[bool | None, _says("whether the time before had none; null: not compared")]
    summary: Annotated[str, _says("the reason in a sentence")]
    causes: Annotated[tuple[str, ...], _says("what usually causes it, the most usual first")]
    next: Annotated[tuple[str, ...], _says("commands to run, with the names of one of the connections")]
    certificate: Annotated[Dates | None, _says("that the peer showed; null: none, or not logged")]
    evidence: Annotated[
        dict[str, str], _says("the proxy's own words on one of the connections, by key of the access log")
    ]
    limits: Annotated[tuple[str, ...], _says("what the lines cannot tell, in sentences")]


class Growth(Part, frozen=True):
    """How a reason has changed."""

    before: int
    after: int


class Reason(Part, frozen=True):
    """All connections that failed for one reason, seen from one side."""

    reason: str
    side: Side
    connections: int
    share: Share
    first: Time
    last: Time
    trend: Trend
    growth: Annotated[Growth | None, _says("first half of the time, and second half; null: no time is known")]
    before: Annotated[int | None, _says("connections in the time before; null: not compared")]
    summary: Annotated[str, _says("the reason in a sentence")]


class Finding(Part, frozen=True):
    """One cause that explains most of the failed connections of a side."""

    kind: Annotated[
        Literal["serial", "client", "node", "network", "issuer", "server", "moment"],
        _says("what the connections have in common"),
    ]
    value: Annotated[str, _says("the issuer, the serial number, the name; of a moment its time")]
    side: Side
    connections: int
    share: Share
    reasons: Annotated[dict[str, int], _says("connections by reason, the most frequent first")]
    clients: int
    servers: int
    first: Time
    quiet: Annotated[
        float | None, _says("seconds from the report's begin to the first of them; null: no time is known")
    ]
    is_sudden: Annotated[bool, _says("whether there was none before, for a part of the time that tells something")]
    text: Annotated[str, _says("the finding in a sentence, without `value`")]
    detail: Annotated[str, _says("what of it helps to tell one cause from another")]


class Radius(Part, frozen=True):
    """What fails for one client, or at one service, as the proxies of one side saw it."""

    party: Party
    side: Side
    connections: int
    share: Share
    reasons: Annotated[dict[str, int], _says("connections by reason, the most frequent first")]
    others: Annotated[tuple[Party, ...], _says("who is at the other end, the most frequent first, ten at most")]
    others_count: Annotated[int, _says("how many are at the other end")]
    goes_on: bool | None
    trend: Trend


class LeftOut(Part, frozen=True):
    """Rows that are not shown."""

    rows: int
    connections: BySide
    is_exact: Annotated[bool, _says("false: there were more groups than are kept; rows is then the most there can be")]
    missed_at_most: Annotated[int, _says("connections that any row's count may lack; 0 unless not exact")]


class Against(Part, frozen=True):
    """The time that it was compared with."""

    begin: str
    end: str
    connections: BySide
    new_rows: Annotated[int, _says("rows of now that the time before did not have, shown or not")]
    gone_rows: Annotated[int, _says("rows of the time before that are no more")]


class Seen(Part, frozen=True):
    """What the proxies of one side saw."""

    connections: Annotated[int, _says("failed ones, each once")]
    pairs: Annotated[int, _says("of a client and a server")]


class Report(Part, frozen=True):
    """What fails, for whom, since when, and how widely."""

    version: Annotated[int, _says("of this schema; it grows when a field changes its meaning")]
    source: Annotated[str, _says("what was read")]
    begin: Annotated[Time, _says("first time of the lines, or of the query; null: no line told a time")]
    end: Time
    step: Annotated[float, _says("seconds of one step of all trends")]
    logs: Annotated[int, _says("logs that were read, or streams of Loki")]
    lines: Annotated[dict[str, int], _says("lines by kind; each line is of one kind, and they add up to all")]
    sides: Annotated[
        dict[Side, Seen],
        _says("what failed; a connection between two proxies may stand on both sides: never add them up"),
    ]
    findings: tuple[Finding, ...]
    reasons: tuple[Reason, ...]
    rows: tuple[Row, ...]
    left_out: LeftOut
    clients: tuple[Radius, ...]
    servers: tuple[Radius, ...]
    against: Annotated[Against | None, _says("null: not compared")]
    notes: Annotated[tuple[str, ...], _says("what could not be read, and what to know of these figures")]

    @property
    def seen(self) -> dict[Side, int]:
        """Failed connections by the sides that saw any."""
        return {side: found.connections for side, found in self.sides.items() if found.connections}
