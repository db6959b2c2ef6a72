"""One record to a report: the agent's decision, who connected to whom, why it failed, and what to run next.

Values of the line are passed on unchanged, and a peer may have chosen them. Only values that are harmless in a shell
are put into commands.
"""

import re
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from shipper.explain import ambient
from shipper.explain.certificate import Certificate, peer_certificate
from shipper.explain.missing import Missing, limits_of, missing_fields
from shipper.explain.texts import FIND_PEER, PODS_OF_HOST, SHOW_PEER, TEXTS
from shipper.explain.verdict import HANDSHAKE_FAILURE, UPSTREAM_TIMEOUT, not_a_handshake
from shipper.pipeline import ztunnel
from shipper.pipeline.failure import DOWNSTREAM, REASONS, Failure
from shipper.pipeline.keep import MTLS
from shipper.pipeline.record import Record, source_ip, text, without_port
from shipper.reading.flags import flags_in_words
from shipper.reading.holders import Holders, peer_address
from shipper.reading.lines import BODY, FRAGMENT, TLS, ZTUNNEL, Readable
from shipper.reading.origin import NOBODY, Peer
from shipper.times import parse_iso_time
from shipper.who.holder import EXTERNAL, UNKNOWN

# Envoy's own words, in the order of their weight.
_EVIDENCE: Final = (
    "response_flags",
    "response_code",
    "response_code_details",
    "connection_termination_details",
    "downstream_transport_failure_reason",
    "upstream_transport_failure_reason",
)
_LIMITS: Final = {
    FRAGMENT: ("The rest: the line is not in Istio's format, or was cut off; a client may have written it.",),
    BODY: ("Who and where: it is the answer that a proxy gave; the access log of that request says more.",),
    TLS: ("Who, where, and on which side: it is a TLS error alone, without the line that it stood in.",),
}
_NAME: Final = "[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"  # a DNS label: no shell has a meaning for it
_SPIFFE: Final = re.compile(rf"spiffe://[^/]+/ns/({_NAME})/sa/[^/]+")
_HOST: Final = re.compile(rf"outbound\|\d+\|[^|]*\|({_NAME}(?:\.{_NAME})*)")
_SERVICE: Final = re.compile(rf"{_NAME}\.({_NAME})\.svc(?:\..*)?")


@dataclass(frozen=True, slots=True)
class Who:
    """The client that connected to this proxy. Names are the client's claim where its certificate was refused."""

    san: str | None
    subject: str | None
    issuer: str | None
    serial: str | None
    address: str | None
    workload: str | None  # `namespace/name`, as istiod has told ztunnel
    claimed: str | None  # the same of a client, which nobody has verified


@dataclass(frozen=True, slots=True)
class Whom:
    """Where the connection went: `san` is this proxy's with side downstream, the upstream's otherwise."""

    san: str | None
    sni: str | None
    address: str | None
    cluster: str | None
    host: str | None
    authority: str | None
    workload: str | None  # `namespace/name`, as istiod has told ztunnel


@dataclass(frozen=True, slots=True)
class Proxy:
    """The proxy that wrote the line, as far as what stands beside it tells."""

    namespace: str | None
    pod: str | None
    container: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """One line explained; the fields are the keys of `--output json`."""

    file: str | None
    line: int
    format: str
    keep: bool  # by `keep: mtls`
    verdict: str
    failure_reason: str | None
    side: str | None
    summary: str
    time: str | None
    who: Who
    to: Whom
    peer: Peer  # who had the address of the one at the other end: the client's with side downstream
    proxy: Proxy
    trust: tuple[str, ...]  # which names on it were verified, and which are a claim, where a proxy of this kind tells
    certificate: Certificate | None
    evidence: dict[str, str]
    flags: dict[str, str]
    meaning: str
    causes: tuple[str, ...]
    next: tuple[str, ...]
    missing: tuple[Missing, ...]
    limits: tuple[str, ...]


def explain(line: Readable, holders: Holders | None = None) -> Report:
    """The report of a record; `holders` tell who the peer was, where nothing beside the line does."""
    record, failure = line.record, _judged(line)
    if holders is not None and failure is not None:
        line = _with_peer(line, failure.side, holders)
    causes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    if failure is None:
        verdict, meaning, limits = not_a_handshake(record)
        summary = verdict.replace("_", " ")
        if line.format == ZTUNNEL:
            commands = ambient.policy_commands(record)
    else:
        verdict = UPSTREAM_TIMEOUT if failure.reason == UPSTREAM_TIMEOUT else HANDSHAKE_FAILURE
        summary, (meaning, causes, commands) = REASONS[failure.reason], TEXTS[failure.reason]
        if line.format == ZTUNNEL:
            causes, commands = (*ambient.CAUSES.get(failure.reason, ()), *causes), ambient.commands_for(record, failure)
        elif ambient.is_tunnel(record):
            commands = ambient.commands_at_waypoint(failure.reason) or commands
        commands, limits = _filled(commands, line, failure), limits_of(record, failure, line.origin.peer)
    limits += _LIMITS.get(line.format, ())
    return Report(
        file=line.file,
        line=line.line,
        format=line.format,
        keep=failure is not None,
        verdict=verdict,
        failure_reason=failure.reason if failure else None,
        side=failure.side if failure and line.format != TLS else None,
        summary=summary,
        time=_value(record, "start_time") or line.origin.time,
        who=_who(record),
        to=_whom(record, failure),
        peer=line.origin.peer,
        proxy=Proxy(line.origin.namespace, line.origin.pod, line.origin.container),
        trust=tuple(ambient.trust_of(record)) if line.format == ZTUNNEL else (),
        certificate=peer_certificate(record, failure),
        evidence=_evidence(line),
        flags=flags_in_words(record),
        meaning=meaning,
        causes=causes,
        next=commands,
        missing=() if line.format in (BODY, TLS) else missing_fields(record, failure, verdict),
        limits=limits,
    )


def _evidence(line: Readable) -> dict[str, str]:
    keys = ("error" if "error" in line.record else "message",) if line.format == ZTUNNEL else _EVIDENCE
    return {key: value for key in keys if (value := text(line.record, key)) not in ("", "0")}


def _judged(line: Readable) -> Failure | None:
    if line.format == ZTUNNEL:
        return ztunnel.classify(line.record)
    return MTLS.judge_for(is_gateway=line.is_gateway)(line.record)


def _who(record: Record) -> Who:
    return Who(
        san=_value(record, "downstream_peer_uri_san"),
        subject=_value(record, "downstream_peer_subject"),
        issuer=_value(record, "downstream_peer_issuer"),
        serial=_value(record, "downstream_peer_serial"),
        address=_value(record, "downstream_remote_address"),
        **_names_of_client(record),
    )


def _names_of_client(record: Record) -> dict[str, str | None]:
    is_own = record.get("direction") == "outbound"
    name = ambient.workload(record, "src")
    return {"workload": name if is_own else None, "claimed": None if is_own else name}


def _whom(record: Record, failure: Failure | None) -> Whom:
    inbound = failure.side == DOWNSTREAM if failure else text(record, "downstream_local_uri_san") != ""
    return Whom(
        san=_value(record, "downstream_local_uri_san" if inbound else "upstream_peer_uri_san"),
        sni=_value(record, "requested_server_name"),
        address=_value(record, "downstream_local_address"),
        cluster=_cluster(record) or None,
        host=_value(record, "upstream_host"),
        authority=_value(record, "authority"),
        workload=ambient.workload(record, "dst"),
    )


def _value(record: Record, key: str) -> str | None:
    return text(record, key) or None


def _cluster(record: Record) -> str:
    """The upstream cluster's name. `%UPSTREAM_CLUSTER%` prints the statistics name, which in Istio ends with `;`."""
    return text(record, "upstream_cluster").removesuffix(";")


def _with_peer(line: Readable, side: str, holders: Holders) -> Readable:
    origin = line.origin
    if origin.peer != NOBODY and origin.peer.kind != UNKNOWN.kind:
        return line
    begun = parse_iso_time(text(line.record, "start_time") or origin.time or "")
    found = holders.peer(peer_address(line.record, side), begun)
    return line if found is NOBODY else replace(line, origin=replace(origin, peer=found))


def _filled(commands: tuple[str, ...], line: Readable, failure: Failure) -> tuple[str, ...]:
    """The commands, the one that finds the peer first, with the values of the line; some placeholders stay."""
    peer = line.origin.peer
    known = _names(line, failure) | _peer_names(peer)
    if peer.pod and peer.namespace:
        commands = (SHOW_PEER, *commands)
    elif peer.kind == "node" and peer.node:
        commands = (PODS_OF_HOST, *commands)
    elif known["<peer-ip>"] and peer.kind != EXTERNAL.kind:  # no pod of this cluster has an address from outside
        commands = (FIND_PEER, *commands)
    return tuple(re.sub(r"<[a-z-]+>", lambda found: known.get(found[0]) or found[0], one) for one in commands)


def _peer_names(peer: Peer) -> dict[str, str]:
    """Of who had the address, which is surer than what a certificate claims."""
    found = {"<peer-pod>": peer.pod, "<peer-namespace>": peer.namespace, "<peer-node>": peer.node}
    return {place: name for place, name in found.items() if name}


def _names(line: Readable, failure: Failure) -> dict[str, str]:
    record = line.record
    if ambient.is_ztunnel(record):  # what stands beside the line names the ztunnel, which speaks for many pods
        return {
            name: _pod_ip(value) if name.endswith("ip>") else value
            for name, value in ambient.names(record, failure).items()
        }
    names = _downstream_names(record) if failure.side == DOWNSTREAM else _upstream_names(record)
    beside = {"<pod>": line.origin.pod, "<namespace>": line.origin.namespace}
    return names | {name: value for name, value in beside.items() if value}


def _downstream_names(record: Record) -> dict[str, str]:
    return {
        "<peer-ip>": _pod_ip(source_ip(record)),
        "<peer-namespace>": _group(_SPIFFE, text(record, "downstream_peer_uri_san")),
        "<namespace>": _group(_SPIFFE, text(record, "downstream_local_uri_san")),
    }


def _upstream_names(record: Record) -> dict[str, str]:
    host = _group(_HOST, _cluster(record))
    return {
        "<peer-ip>": _pod_ip(without_port(text(record, "upstream_host"))),
        "<peer-namespace>": _group(_SERVICE, host),
        "<host>": host,
    }


def _group(pattern: re.Pattern[str], value: str) -> str:
    found = pattern.fullmatch(value)
    return found[1] if found else ""


def _pod_ip(address: str) -> str:
    """The address as text that a pod may have; empty for none, and for a loopback."""
    try:
        found = ip_address(address)
    except ValueError:
        return ""
    return "" if found.is_loopback or "%" in address else str(found)
