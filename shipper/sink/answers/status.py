"""What an answer of Loki, or of what stands before it, asks of the sender.

Pure: a status, a text and a Retry-After in; None when the push is stored, else an error named by what to do about it.
Texts are compared without case: Loki 3.7 writes some in lower case.
"""

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from shipper.sink.answers.page import described, is_page, readable

STREAM_RATE = "stream_rate_limit"  # the cause of a stream's own rate
LONGEST_RETRY_AFTER = 60.0  # seconds; a server that asks for more is not obeyed: our own back-off is longer soon enough
STREAM_LIMIT = "stream_limit"  # the cause of too many streams
SMALLEST_RATE = 1024.0  # bytes a second; a limit below lets no line pass, so its text is not believed

_MEANING = {
    260: "ingestion is blocked by Loki's operators",
    401: "the credentials are missing or wrong",
    403: "the credentials do not allow pushing",
    404: "the URL's path is wrong, Loki's is /loki/api/v1/push",
    407: "the proxy wants credentials, see HTTP_PROXY and HTTPS_PROXY",
    408: "the request was too slow for a gateway",
    429: "the tenant's rate limit",
}
_UNAVAILABLE = {401, 403, 404, 407, 408, 421, 423, 425, 429, 451}
_NO_TENANT = "Loki needs a tenant: set tenant_id"
_TLS_PORT = re.compile(
    r"http request was sent to https port|client sent an http request to an https server"
    r"|speaking plain http to an ssl-enabled server",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PushError:
    """A push that is not known to be stored. It is returned, never raised."""

    cause: str  # short and of few values, for metrics
    text: str = ""  # what was said, or what it means
    retry_after: float = 0.0  # seconds

    def __str__(self) -> str:
        text = readable(self.text)[:500]
        return f"{self.cause}: {text}" if text else self.cause


class Unavailable(PushError):
    """The destination as a whole takes nothing now: the same bytes again, later."""


class TenantLimited(Unavailable):
    """The tenant's rate: later, and smaller when it repeats."""


class TimedOut(Unavailable):
    """The request went, and its answer did not come in time: it may be stored."""


class CutOff(Unavailable):
    """The connection broke before an answer came: gateways do that instead of answering 413."""


class StreamLimited(PushError):
    """This stream must wait; others need not."""


class TooLarge(PushError):
    """Never in one request: smaller ones, at once."""


class BadRequest(PushError):
    """A 400 or the like: its text may tell which entries are refused, or be about something else altogether."""


def judge(
    status: int, text: str, retry_after: float = 0.0, *, content_type: str = "", redirect: str = ""
) -> PushError | None:
    """The error that an answer means; None when everything is stored.

    Loki answers 204; so do Alloy, Promtail and OpenTelemetry's receiver. VictoriaLogs answers 200 without a body. A 200
    with one comes from something else, such as a login page. 202 says that something may be stored later, and nobody
    would hear if it is not. `redirect` says where a 3xx leads.
    """
    if status == 204 or (status == 200 and not text):
        return None
    if status < 400:
        return Unavailable(f"http_{status}", _not_stored(status, text, content_type, redirect), retry_after)
    said = text.lower()
    if status == 413 or (status >= 400 and "larger than max" in said):
        return TooLarge(f"http_{status}", text, retry_after)
    if status == 429:
        return _limited(said, text, retry_after)
    if status >= 500 or status in _UNAVAILABLE or _is_of_tls_port(text):
        return Unavailable(f"http_{status}", _explained(status, text), retry_after)
    return BadRequest(f"http_{status}", text, retry_after)


def _not_stored(status: int, text: str, content_type: str, redirect: str) -> str:
    """What an answer below 400 means that stores nothing."""
    if status == 260 or status >= 300:
        return _explained(status, text, redirect)
    what = described(text, content_type)
    return f"this is no answer of Loki's, which is 204: {what}; check the URL, and what stands in front of Loki"


def _limited(said: str, text: str, retry_after: float) -> PushError:
    if "per stream rate limit" in said:
        return StreamLimited(STREAM_RATE, text, retry_after)
    if "maximum active stream limit" in said:
        return StreamLimited(STREAM_LIMIT, text, retry_after)
    return TenantLimited("http_429", _explained(429, text), retry_after)


_RATE = re.compile(r"\(limit:\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b(?:ytes)?/s", re.IGNORECASE)
_UNITS = {
    "": 1,
    "k": 1 << 10,
    "m": 1 << 20,
    "g": 1 << 30,
    "t": 1 << 40,
}  # as c2h5oh/datasize, which Loki uses, has them


def named_rate(text: str) -> float:
    """The bytes a second that the text of a 429 names as the limit; 0 when it names none."""
    found = _RATE.search(text)
    rate = float(found[1]) * _UNITS[found[2].lower()] if found else 0.0
    return rate if rate >= SMALLEST_RATE else 0.0


def _is_of_tls_port(text: str) -> bool:
    """Whether a server says that it expected TLS. Labels in Loki's own texts may say so too, but not at their start."""
    return bool(_TLS_PORT.search(text) if is_page(text) else _TLS_PORT.match(text.strip()))


def _explained(status: int, text: str, meaning: str = "") -> str:
    meaning = meaning or _MEANING.get(status, "")
    if "no org id" in text.lower():
        meaning = _NO_TENANT
    elif _is_of_tls_port(text):
        meaning = "a TLS port behind http://: the URL must begin with https://"
    text = readable(text)[:500]
    return f"{meaning} ({text})" if meaning and text else meaning or text


def seconds_to_wait(retry_after: str, now: float) -> float:
    """A Retry-After, in seconds or as an HTTP date, in seconds from `now` (Unix time); 0 for one that is not obeyed.

    That is one without sense, and one of more than LONGEST_RETRY_AFTER seconds.
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
    return seconds if 0 < seconds <= LONGEST_RETRY_AFTER else 0.0
