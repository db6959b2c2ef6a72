"""Who a failed handshake was with: the peer that had the other end's address when the connection began.

The address is the client's (`downstream_remote_address`) or the server's (`upstream_host`); a name that a line claims
is never used. The pipeline asks from memory and never waits. A line whose peer must be asked for first is handed out
unfinished (`result.Unanswered`) and finished when that is known or given up. What was used for a line stays true for
it: it is among the answers that are saved, "unknown" as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, Final, NamedTuple, Protocol, cast

import orjson

from shipper.fields import PEER_FIELDS
from shipper.pipeline.answers import MOST_PEERS, OFTEN, REMEMBERED, Answers, Fields, Span
from shipper.pipeline.failure import DOWNSTREAM, TIMEOUT, UPSTREAM, Failure
from shipper.pipeline.record import Record, text
from shipper.pipeline.workloads import FOREVER, Answer
from shipper.times import SECOND, parse_time, parse_times

# Reasons of this pipeline for a peer that is unknown; others come from who answers.
NOT_AN_ADDRESS: Final = "not_an_address"
TOO_MANY: Final = "too_many_addresses"
NOT_ANSWERED: Final = "not_answered"

_UNKNOWN: Final = "unknown"
_PREFIX: Final = "peer "  # of the keys among the answers
_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_WRITTEN: Final = b"0000-00-00T00:00:00.000Z"  # %START_TIME%
_KEYS: Final = {DOWNSTREAM: "downstream_remote_address", UPSTREAM: "upstream_host"}


class Peers(Protocol):
    """Who knows whose an address was."""

    def address(self, address: str, at: int) -> Answer | None:
        """Who had this address at this time; None: not known yet, it must be asked for. At once, from memory; raises
        nothing.

        `address` is IPv4 or IPv6 without port and brackets, `at` in nanoseconds since 1970. Fields of the answer:
        `peer_kind` (pod, node, service, external, unknown), `peer_namespace`, `peer_app`, `peer_pod`, `peer_node`,
        `peer_owner`, each only where known, and `reason`: why it is unknown. The time lies in the answer's span.
        """


class PeerRule(NamedTuple):
    """Whose lines have a peer: those of failed handshakes."""

    peers: Peers
    timeouts: bool = False  # those of timeouts as well


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """A peer as lines of it are labelled and counted."""

    fields: Fields  # of PEER_FIELDS, where known
    labels: str  # its values of the fields that are labels, as one text
    app: tuple[str, str]  # namespace and app, empty where unknown
    counted: tuple[str, str]  # kind, and why it is unknown


def peer_of(fields: Fields, names: Iterable[str]) -> Peer:
    """The peer of an answer's fields, of none a peer that is unknown; `names`: which of its fields are labels."""
    known = {name: fields[name] for name in PEER_FIELDS if fields.get(name)}
    kind = known.setdefault("peer_kind", _UNKNOWN)
    app = known.get("peer_namespace", ""), known.get("peer_app", "")
    reason = fields.get("reason", "") if kind == _UNKNOWN else ""
    return Peer(known, orjson.dumps([known.get(name, "") for name in names]).decode(), app, (kind, reason))


NO_PEER: Final = Peer({}, "", ("", ""), ("", ""))
"""Of a line that has none: a timeout, or where nobody is asked."""


class Asked(NamedTuple):
    """What is asked about a line."""

    address: str  # empty: the line names none
    at: int  # nanoseconds since 1970

    @property
    def key(self) -> tuple[str, int]:
        """The same as the answers have it."""
        return _PREFIX + self.address, self.at


class _Near(NamedTuple):
    """The last answer about an address."""

    span: Span
    peer: Peer


class TargetPeers:
    """The peers of one target's lines."""

    CACHED: Final = 1024  # addresses, and peers

    def __init__(self, rule: PeerRule, answers: Answers, target: str, labels: Iterable[str]) -> None:
        """`labels`: names of all labels of lines."""
        self._ask, self._answers, self._target = rule.peers.address, answers, target
        self._timeouts = rule.timeouts
        self._names = [name for name in labels if name in PEER_FIELDS]
        self._no_address = _Near(Span(0, FOREVER, 0, {}), peer_of({"reason": NOT_AN_ADDRESS}, self._names))
        self._one_too_many = peer_of({"reason": TOO_MANY}, self._names)
        self._near: dict[str, _Near] = {}  # by address as lines have it, before the port
        self._peers: dict[frozenset[tuple[str, str]], Peer] = {}
        self._latest = self._forgot = 0  # of the times that were asked about
        self._has_refused = False  # an address, for want of room

    def has(self, failure: Failure) -> bool:
        """Whether a line that is kept for this has a peer."""
        return self._timeouts or failure is not TIMEOUT

    # -- one line

    def find(self, asked: Asked) -> Peer | None:
        """The peer, as far as it is known now; remembered, as it will be used. None: it must be asked for."""
        if not asked.address:
            return self._no_address.peer
        self._latest = max(self._latest, asked.at)
        known = self._answers.find(self._target, *asked.key)
        if known is not None:
            return self._peer(known)
        if not self._answers.has_room(self._target, asked.key[0], MOST_PEERS):
            self._has_refused = True
            return self._one_too_many
        answer = self._ask(*asked)
        return None if answer is None else self._used(asked, answer)

    def give_up(self, asked: Asked, reason: str) -> Peer:
        """The peer is unknown for this reason, now and later."""
        answer = Answer({"peer_kind": _UNKNOWN, "reason": reason or NOT_ANSWERED}, asked.at, asked.at + 1)
        return self._used(asked, answer)

    def glimpse(self, asked: Asked) -> Peer:
        """The peer of a failure that is only counted: nothing is asked for it, or remembered."""
        if not asked.address:
            return NO_PEER
        fields = self._answers.find(self._target, *asked.key)
        if fields is None and (answer := self._ask(*asked)) is not None:
            fields = answer.fields
        return self._peer(fields) if fields else NO_PEER

    # -- lines of Envoy, many at once

    def find_many(
        self, judged: Sequence[tuple[Failure | None, Record]], times: Sequence[int | None]
    ) -> Sequence[Peer | None]:
        """For each line, given its time: the peer, NO_PEER where it has none. From one on that must be asked for, None
        for each."""
        return self._find_together(judged, times) or self._find_each(judged, times)

    def _find_together(
        self, judged: Sequence[tuple[Failure | None, Record]], times: Sequence[int | None]
    ) -> Sequence[Peer]:
        """The peers, where the last answer about each address holds for all times of these lines; else none."""
        within = _within(judged, times)
        if within is None:
            return ()
        first, last = within
        timeouts = self._timeouts
        try:
            hosts = [
                record[_KEYS[failure.side]].rpartition(":")[0] if failure is not TIMEOUT or timeouts else None  # type: ignore[union-attr, attr-defined]
                for failure, record in judged
            ]
        except (KeyError, AttributeError):  # a line that is not kept, or without an address
            return ()
        peers: dict[str | None, Peer] = {None: NO_PEER}
        near = self._near
        for host in set(hosts):
            if host is None:
                continue
            known = near.get(host)
            if known is None:
                return ()
            span = known.span
            if span.start > first or span.end <= last:
                return ()
            if span.used < last:
                span.used = last
            peers[host] = known.peer
        self._latest = max(self._latest, last)
        return list(map(peers.__getitem__, hosts))

    def _find_each(
        self, judged: Sequence[tuple[Failure | None, Record]], times: Sequence[int | None]
    ) -> list[Peer | None]:
        peers: list[Peer | None] = []
        near, timeouts, latest = self._near.get, self._timeouts, self._latest
        for (failure, record), nanos, start in zip(judged, times, _starts(judged), strict=True):
            if failure is None or nanos is None or (failure is TIMEOUT and not timeouts):
                peers.append(NO_PEER)
                continue
            address = record.get(_KEYS[failure.side])
            host = address.rpartition(":")[0] if type(address) is str else ""
            known = near(host)
            if known is not None:
                at = start if start is not None and 0 <= start <= nanos else nanos
                span = known.span
                if span.start <= at < span.end:
                    if at > span.used:
                        span.used = at
                    latest = max(latest, at)
                    peers.append(known.peer)
                    continue
            asked = asked_of(failure, record, nanos)
            peer = self.find(asked)
            if peer is None:
                peers += [None] * (len(judged) - len(peers))
                break
            self._keep_near(host, asked)
            peers.append(peer)
        self._latest = max(self._latest, latest)
        return peers

    def _keep_near(self, host: str, asked: Asked) -> None:
        """`host`: before the last colon. All that begins with it must name the same address, or none."""
        if not asked.address:
            near = self._no_address if host and ":" not in host else None
        elif _ip_of(host) == asked.address and (span := self._answers.span(self._target, *asked.key)) is not None:
            near = _Near(span, self._peer(span.fields))
        else:
            near = None
        if near is not None:
            if len(self._near) >= self.CACHED:
                self._near.clear()
            self._near[host] = near

    # -- answers

    def _used(self, asked: Asked, answer: Answer) -> Peer:
        fields = answer.fields
        is_unknown = fields.get("peer_kind", _UNKNOWN) == _UNKNOWN
        known = self._answers.add(self._target, *asked.key, answer, most=MOST_PEERS, fills=is_unknown)
        if known is fields:
            return self._peer(fields)
        self._has_refused = True
        return self._one_too_many

    def _peer(self, fields: Fields) -> Peer:
        """Equal fields give the same peer."""
        items = frozenset(fields.items())
        peer = self._peers.get(items)
        if peer is None:
            if len(self._peers) >= self.CACHED:
                self._peers.clear()
            peer = self._peers[items] = peer_of(fields, self._names)
        return peer

    def nothing_unsettled(self) -> None:
        """All lines that were read are settled: no answer is needed to read one again.

        Those of the last hour are kept, so that they need not be asked for again, while there is room.
        """
        if self._has_refused:
            self._answers.settled(self._target, self._latest + 2 * REMEMBERED)
        elif self._latest - self._forgot >= OFTEN:
            self._answers.settled(self._target, self._latest)
        else:
            return
        self._has_refused, self._forgot = False, self._latest
        self._near.clear()


def asked_about(address: str, start: str, nanos: int) -> Asked:
    """What to ask about a line: whose this address, with or without its port, was when the connection began.

    That is `start`, RFC 3339, or else the time of the line: where there is none, or one after the line.
    """
    return Asked(_ip(address), _at(parse_time(start.encode(errors="replace")), nanos))


def asked_of(failure: Failure, record: Record, nanos: int) -> Asked:
    """The same for a record of Envoy."""
    return asked_about(text(record, _KEYS[failure.side]), text(record, "start_time"), nanos)


def _at(start: int | None, nanos: int) -> int:
    return start if start is not None and 0 <= start <= nanos else nanos


def _within(judged: Sequence[tuple[object, Record]], times: Sequence[int | None]) -> tuple[int, int] | None:
    """The first and the last time that is asked about, or an earlier and a later one; None where each must be looked
    at: times that are written in another way than Envoy's, or are further apart than a minute."""
    if None in times:
        return None
    lines = cast("Sequence[int]", times)
    starts: list[Any] = [record.get("start_time") for _, record in judged]
    first = starts[0]
    if first is None:
        return (min(lines), max(lines)) if starts.count(None) == len(starts) else None
    try:
        written = "".join(starts).encode().translate(_DIGITS)
    except TypeError:
        return None
    first, last = min(starts), max(starts)
    if written != _WRITTEN * len(starts) or first[:16] != last[:16] or last[17] > "5":
        return None
    begin = parse_time(first.encode())
    if begin is None or begin < 0:
        return None
    end = begin + (int(last[17:19]) - int(first[17:19])) * SECOND + (int(last[20:23]) - int(first[20:23])) * 1_000_000
    # A connection that begins after its line is asked about at the time of the line.
    return min(begin, *lines), end


def _starts(judged: Iterable[tuple[object, Record]]) -> list[int | None]:
    """When the connections of these lines, one at least, began."""
    try:
        return parse_times([record["start_time"].encode() for _, record in judged])  # type: ignore[attr-defined]
    except (KeyError, AttributeError):
        return [parse_time(text(record, "start_time").encode(errors="replace")) for _, record in judged]


def _ip(address: str) -> str:
    """`10.244.2.9:41512`, `[fd00::7]:41512` and `fd00::7` to the address alone; empty for what is no IP address."""
    return _ip_of(address.rpartition(":")[0]) or _parsed(address.strip("[]"))


def _ip_of(host: str) -> str:
    """The address before a port; empty where the colon is one of the address."""
    return _parsed(host.strip("[]")) if ":" not in host or host.startswith("[") else ""


def _parsed(address: str) -> str:
    """The address as it is asked for: an IPv4 one that is written as IPv6 is itself."""
    try:
        ip = ip_address(address)
    except ValueError:
        return ""
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return "" if "%" in address else str(mapped or ip)
