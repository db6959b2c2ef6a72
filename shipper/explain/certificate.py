"""The dates of the certificate that the peer showed, compared with the time of the connection.

Envoy logs the dates of the leaf, also when it refused it, but no dates of the CAs above.
"""

from dataclasses import dataclass

from shipper.pipeline.failure import DOWNSTREAM, UPSTREAM, Failure
from shipper.pipeline.record import Record, text
from shipper.times import SECOND, parse_iso_time


@dataclass(frozen=True, slots=True)
class Certificate:
    """Dates as logged; `state` is valid, expired, not_yet_valid, or None where a date or the time is not known."""

    whose: str  # downstream or upstream: of the peer on that side
    start: str | None
    end: str | None
    state: str | None
    in_words: str


def peer_certificate(record: Record, failure: Failure | None) -> Certificate | None:
    """The peer's certificate on the side that failed; None where the line has no date of it."""
    side = UPSTREAM if failure and failure.side == UPSTREAM else DOWNSTREAM
    start, end = (text(record, f"{side}_peer_cert_v_{edge}") for edge in ("start", "end"))
    if not start and not end:
        return None
    state, words = _judged(parse_iso_time(start), parse_iso_time(end), parse_iso_time(text(record, "start_time")))
    if state == "valid" and failure and failure.reason in ("cert_expired", "cert_not_yet_valid"):
        words += "; so it is one of the CAs above it that was not in date"
    return Certificate(side, start or None, end or None, state, words)


def _judged(start: int | None, end: int | None, now: int | None) -> tuple[str | None, str]:
    if now is None:
        return None, "the line does not say when the connection was made"
    if end is not None and end < now:
        return "expired", f"it had expired {_span(now - end)} before the connection"
    if start is not None and start > now:
        return "not_yet_valid", f"it became valid {_span(start - now)} after the connection"
    if start is not None and end is not None:
        return "valid", "it was in date at the time of the connection"
    return None, "one of its dates is not known"


def _span(nanos: int) -> str:
    """Roughly how long: `2 days`, `3 hours`, `40 seconds`."""
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if count := nanos // (unit * SECOND):
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{nanos / SECOND:.0f} seconds"
