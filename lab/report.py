"""What the demo shows: plain tables, and access-log records in few words. Pure: values in, text out."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lab.access_log import decode, is_of_ztunnel
from lab.ink import HEAD, Ink, plain
from lab.mesh import Called
from lab.query import Found
from lab.ztunnel import Written

NARROWEST = 6  # characters a column is never cut below

_FRAME = re.compile(r"^TLS_error:?\|(error:)?\w+:SSL_routines:OPENSSL_internal:|:TLS_error_end$")
_X509 = re.compile(r"verify_cert_failed:_|X509_verify_cert:_certificate_verification_error_at_depth_\d+:_")


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, last_first: bool = False, ink: Ink = plain
) -> str:
    """Rows in a frame, at most `width` characters wide if that can be.

    The widest columns are cut; with `last_first` the last one before all others.
    """
    cells = [[_printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    room = width - 3 * len(widths) - 1
    if last_first:
        widths[-1] = max(2 * NARROWEST, min(widths[-1], room - sum(widths[:-1])))
    while sum(widths) > room and max(widths) > NARROWEST:
        widths[widths.index(max(widths))] -= 1
    names = [[HEAD] * len(head), *([head] * len(rows))]
    lines = [
        "│ " + " │ ".join(map(ink, columns, map(_fit, row, widths))) + " │"
        for columns, row in zip(names, cells, strict=True)
    ]
    top, middle, bottom = (
        left + cross.join("─" * (wide + 2) for wide in widths) + right for left, cross, right in ("┌┬┐", "├┼┤", "└┴┘")
    )
    return "\n".join([top, lines[0], middle, *lines[1:], bottom])


def _fit(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + "…"


def _printable(cell: str) -> str:
    # what a client sent may hold anything, a terminal's control sequences too
    return "".join(one if one.isprintable() else "�" for one in cell)


def cause(record: Mapping[str, Any]) -> str:
    """Why it failed, in the proxy's words without their frame; empty when it did not."""
    if is_of_ztunnel(dict(record)):
        return record["error"] or ""
    reason = record.get("downstream_transport_failure_reason") or record.get("upstream_transport_failure_reason")
    if reason:
        return _X509.sub("", _FRAME.sub("", reason))
    return str(record.get("response_code_details") or "") if record["response_flags"] != "-" else ""


def brief(record: Mapping[str, Any]) -> str:
    """The cause, without what every refused certificate has in common."""
    return cause(record).removeprefix("CERTIFICATE_VERIFY_FAILED:")


def calls(made: Sequence[Called], width: int, ink: Ink = plain) -> str:
    """Who called, what the caller saw, and what Envoy wrote."""
    rows = [
        (
            one.caller.name,
            one.caller.what,
            str(one.outcome.status or one.outcome.error),
            one.record["response_flags"],
            brief(one.record),
        )
        for one in made
    ]
    return table(("client", "what it does", "what it saw", "flags", "why, says Envoy"), rows, width, ink=ink)


def arrived(found: Sequence[Found], width: int, ink: Ink = plain) -> str:
    """Entries as they stand in Loki: labels first, the line last.

    The reason is the label `failure_reason` where there is one, else what the line says.
    """
    if not found:
        return "  (nothing)"
    labelled = any("failure_reason" in entry.labels for entry in found)
    names = ("namespace", "app", "response_flags", *(["failure_reason", "side"] if labelled else []))
    rows = []
    for entry in found:
        record = decode(entry.line)
        peer = record.get("downstream_peer_uri_san") or entry.labels.get("source_san") or "(no name)"
        when = f"{datetime.fromtimestamp(entry.nanos / 1e9, UTC):%H:%M:%S.%f}"[:-3]
        labels = [entry.labels.get(name, "") for name in names]
        said = [] if labelled else [brief(record)]
        source = record["downstream_remote_address"]
        rows.append((when, _proxy(record), *labels, source, peer.removeprefix("spiffe://"), *said, entry.line))
    head = ("time", "proxy", *names, "from", "peer", *([] if labelled else ["reason"]), "line")
    return table(head, rows, width, last_first=True, ink=ink)


def counts(found: Sequence[Found], width: int, ink: Ink = plain) -> str:
    """How many entries there are of each reason, side and kind of proxy, the most frequent first."""
    rows = [(*kind, str(number), "█" * number) for kind, number in by_kind(found).most_common()]
    return table(("failure_reason", "side", "proxy", "lines", ""), rows, width, ink=ink)


def by_kind(found: Sequence[Found]) -> Counter[tuple[str, str, str]]:
    """How many entries there are of each failure_reason, side and kind of proxy."""
    return Counter(
        (entry.labels.get("failure_reason", ""), entry.labels.get("side", ""), _proxy(decode(entry.line)))
        for entry in found
    )


def of_ztunnel(lines: Sequence[Written], shipped: Mapping[str, set[str]], width: int, ink: Ink = plain) -> str:
    """Each line of a ztunnel's log, and whether it arrived; `shipped` holds the lines that did, by keep rule."""
    rows = [
        (
            one.reason or "none",
            one.side,
            _format(one.line.encode()),
            decode(one.line)["error"] or "(a connection that was well)",
            *(_tick(one.line in arrived) for arrived in shipped.values()),
        )
        for one in lines
    ]
    head = ("failure", "side", "log", "what ztunnel says")
    return table((*head, *(f"keep: {rule}" for rule in shipped)), rows, width, ink=ink)


def truth(made: Sequence[Called], shipped: Mapping[str, set[str]], width: int, ink: Ink = plain) -> str:
    """Each failed handshake, counted at every station; `shipped` holds the lines that arrived, by keep rule."""
    failed = [one for one in made if one.caller.failure]
    counts = [
        (
            one.outcome.failed,
            one.caller.reason in cause(one.record),
            *(one.line.decode() in lines for lines in shipped.values()),
        )
        for one in failed
    ]
    rows = [
        (one.caller.failure, one.caller.side, _format(one.line), cause(one.record), *map(_tick, count))
        for one, count in zip(failed, counts, strict=True)
    ]
    totals = ("sum", "", "", "", *(str(sum(column)) for column in zip(*counts, strict=True)))
    head = ("failure", "side", "log", "the reason in it", "failed", "Envoy logged")
    return table((*head, *(f"keep: {rule}" for rule in shipped)), [*rows, totals], width, ink=ink)


def _proxy(record: Mapping[str, Any]) -> str:
    return "ztunnel" if is_of_ztunnel(dict(record)) else "Envoy"


def _format(line: bytes) -> str:
    return "JSON" if line.startswith(b"{") else "text"


def _tick(counted: bool) -> str:
    return "1" if counted else "-"


def account(ledger: Mapping[str, int]) -> str:
    """The ledger as a sum."""
    read, *parts = ledger.items()
    return f"{read[1]} read = " + " + ".join(f"{number} {name}" for name, number in parts)
