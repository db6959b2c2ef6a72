"""What an answer of Loki, or of what stands before it, asks of the sender.

Pure: a status, a text and a Retry-After in; None when the push is stored, else an error named by what to do about it.
Texts are compared without case: Loki 3.7 writes some in lower case.
"""

import math
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

STORED = (200, 204)  # and nothing else: 260 says that nothing was taken
STREAM_RATE = "stream_rate_limit"  # the cause of a stream's own rate
LONGEST_RETRY_AFTER = 300.0  # seconds; a server may not send us away for longer at once

_MEANING = {
    260: "ingestion is blocked by Loki's operators",
    401: "the credentials are missing or wrong",
    403: "the credentials do not allow pushing",
    404: "the URL's path is wrong, Loki's is /loki/api/v1/push",
    408: "the request was too slow for a gateway",
    429: "the tenant's rate limit",
}
_UNAVAILABLE = {260, 401, 403, 404, 407, 408, 421, 423, 425, 429, 451}


@dataclass(frozen=True, slots=True)
class PushError:
    """A push that is not known to be stored. It is returned, never raised."""

    cause: str  # short and of few values, for metrics
    text: str = ""  # what was said, or what it means
    retry_after: float = 0.0  # seconds

    def __str__(self) -> str:
        text = self.text[:500].strip()
        return f"{self.cause}: {text}" if text else self.cause


class Unavailable(PushError):
    """The destination as a whole takes nothing now: the same bytes again, later."""


class TenantLimited(Unavailable):
    """The tenant's rate: later, and smaller when it repeats."""


class StreamLimited(PushError):
    """This stream must wait; others need not."""


class TooLarge(PushError):
    """Never in one request: smaller ones, at once."""


class BadRequest(PushError):
    """A 400 or the like: its text may tell which entries are refused, or be about something else altogether."""


def judge(status: int, text: str, retry_after: float = 0.0) -> PushError | None:
    """The error that an answer means; None when everything is stored."""
    if status in STORED:
        return None
    said = text.lower()
    if status == 413 or (status >= 400 and "larger than max" in said):
        return TooLarge(f"http_{status}", text, retry_after)
    if status == 429:
        return _limited(said, text, retry_after)
    if status < 400 or status >= 500 or status in _UNAVAILABLE:
        return Unavailable(f"http_{status}", _explained(status, text), retry_after)
    return BadRequest(f"http_{status}", text, retry_after)


def _limited(said: str, text: str, retry_after: float) -> PushError:
    if "per stream rate limit" in said:
        return StreamLimited(STREAM_RATE, text, retry_after)
    if "maximum active stream limit" in said:
        return StreamLimited("stream_limit", text, retry_after)
    return TenantLimited("http_429", _explained(429, text), retry_after)


def _explained(status: int, text: str) -> str:
    meaning = _MEANING.get(status, "a redirect, which is not followed" if 300 <= status < 400 else "")
    text = text[:500].strip()
    return f"{meaning} ({text})" if meaning and text else meaning or text


def seconds_to_wait(retry_after: str, now: float) -> float:
    """A Retry-After, in seconds or as an HTTP date, in seconds from `now` (Unix time); 0 for one that says nothing.

    A date names a whole second: the wait ends a moment after that second has begun, never before.
    """
    text = retry_after.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
            seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now + 0.02
        except (ValueError, TypeError, OverflowError, IndexError):
            return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if not math.isnan(seconds) else 0.0
