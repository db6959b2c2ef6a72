"""The words of Loki's refusals that concern a whole request or stream, and the forms of time in them.

Texts are those of Loki 3.4 (pkg/validation/validate.go, pkg/ingester/stream.go); pure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

MIB = 1 << 20
SECOND = 10**9  # nanoseconds
LISTED = 10  # entries named in an answer (max_returned_stream_errors); the rest are counted


def grouped(texts: Iterable[str]) -> str:
    """Validation errors as Loki joins them: equal ones once, with their number."""
    counts = Counter(texts)
    return "; ".join(f"{count} errors like: {text}" if count > 1 else text for text, count in counts.items())


def ignored(entries: Sequence[tuple[int, str]], total: int, stream: str) -> str:
    """Of `total` entries of a stream these, (nanoseconds, reason) each, were not stored."""
    listed = "".join(
        f"entry with timestamp {go_time(nanos)} ignored, reason: '{text}',\n" for nanos, text in entries[:LISTED]
    )
    return f"{listed}user 'fake', total ignored: {len(entries)} out of {total} for stream: {stream}"


def rate_exceeded(rate: float, lines: int, size: int) -> str:
    """The tenant sends more than its rate (bytes a second)."""
    return (
        f"Ingestion rate limit exceeded for user fake (limit: {int(rate)} bytes/sec) while attempting to ingest "
        f"'{lines}' lines totaling '{size}' bytes, reduce log volume or contact your Loki administrator to see "
        "if the limit can be increased"
    )


def stream_rate_exceeded(rate: float, stream: str, size: int) -> str:
    """The stream alone sends more than a stream may (bytes a second)."""
    return (
        f"Per stream rate limit exceeded (limit: {rate / MIB:g}MB/sec) while attempting to ingest for stream "
        f"'{stream}' totaling {size}B, consider splitting a stream via additional labels or contact your Loki "
        "administrator to see if the limit can be increased"
    )


def too_many_streams(stream: str) -> str:
    """This one would be a new stream, and there are enough."""
    return (
        f"Maximum active stream limit exceeded when trying to create stream {stream}, reduce the number of "
        "active streams (reduce labels or reduce label values), or contact your Loki administrator to see if "
        "the limit can be increased, user: 'fake'"
    )


def message_too_large(size: int, limit: int) -> str:
    """The request does not fit between Loki's own parts."""
    text = "rpc error: code = ResourceExhausted desc = grpc: received message larger than max"
    return f"{text} ({size} vs. {limit})"


def too_far_behind(nanos: int, oldest: int) -> str:
    """The entry lies too far behind the newest of its stream."""
    return (
        f"entry too far behind, entry timestamp is: {rfc3339(nanos)}, oldest acceptable timestamp is: {rfc3339(oldest)}"
    )


def rfc3339(nanos: int) -> str:
    """A time to the second, as in Loki's validation errors."""
    return f"{datetime.fromtimestamp(nanos // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def go_time(nanos: int) -> str:
    """A time as Go prints it, to the nanosecond, as in Loki's list of ignored entries."""
    second, fraction = divmod(nanos, SECOND)
    digits = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}{digits} +0000 UTC"
