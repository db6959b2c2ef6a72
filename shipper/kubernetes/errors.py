"""What can be wrong with the Kubernetes API, and how often its operator is told.

No error here is worth an alarm by itself: who asks does without an answer. Each is counted, and each kind is logged at
most once an hour.
"""

import logging
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec
from prometheus_client import Counter

from shipper.errors import fault
from shipper.log import HOUR, Seldom

log = logging.getLogger(__name__)

LONGEST_RETRY_AFTER: Final = 60.0  # seconds; a server that asks for more is asked sooner
REFUSAL_BYTES: Final = 4096  # of a refusal's body that are read

_HINTS: Final = {
    401: "the service account's token was not accepted; it is read again",
    403: "the service account may not list and watch: apply the ClusterRole of the deployment; normal for a moment "
    "after the server has started",
}


class NotConfigured(Exception):
    """It is unknown where the API is or as whom to ask, or what says so cannot be read."""


class VersionGone(Exception):
    """410: the server no longer has the changes since the version we know. List again."""


class BodyTooLarge(Exception):
    """A list or an event is larger than the memory that is set aside for it. Try again later."""


class ApiRefused(Exception):
    """The server answered with an error: its status and message, and the seconds of its Retry-After."""

    def __init__(self, status: int, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{status}: {message[:200]}")
        self.status = status
        self.retry_after = min(retry_after, LONGEST_RETRY_AFTER)


# The label of each kind of error in the metric; the first that fits counts.
_REASONS: Final[dict[tuple[type[Exception], ...], str]] = {
    (ssl.SSLError, aiohttp.ClientSSLError): "tls",
    (TimeoutError,): "timeout",
    (BodyTooLarge,): "too_large",
    (msgspec.MsgspecError, UnicodeDecodeError): "malformed",
    (aiohttp.ClientError, ConnectionError): "connection",
    (NotConfigured,): "configuration",
}


@dataclass(frozen=True, slots=True)
class Without:
    """What it means to be without the API, as its operator is told."""

    missing: str  # what cannot be got
    meanwhile: str  # what is done while it cannot
    again: str  # what is so once it can


class _Status(msgspec.Struct):
    message: str = ""


async def refusal(response: aiohttp.ClientResponse) -> ApiRefused | VersionGone | None:
    """The error that a response stands for, with Kubernetes' message if it has one; None for a 200."""
    if response.status == 200:
        return None
    if response.status == 410:
        return VersionGone()
    text = await response.content.read(REFUSAL_BYTES)
    try:
        message = msgspec.json.decode(text, type=_Status).message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = text.decode(errors="replace")
    seconds = response.headers.get("Retry-After", "")
    wait = float(seconds) if seconds.isdecimal() else 0.0
    return ApiRefused(response.status, message or str(response.reason), wait)


class ApiErrors:
    """Counts errors of the API and logs each kind once an hour."""

    def __init__(self, count: Counter, without: Without, clock: Callable[[], float] = time.monotonic) -> None:
        """`count` has the label `reason`."""
        self._count, self._without, self._seldom = count, without, Seldom(clock)
        self._said_no_table = False

    def expired(self) -> None:
        """VersionGone was raised."""
        self._count.labels(reason="410").inc()
        log.debug("kubernetes: the changes since the last known version are gone; normal after a pause; listing again")

    def refused(self, refused: ApiRefused) -> None:
        """The server answered with an error."""
        hint = _HINTS.get(refused.status)
        self._note(str(refused.status), f"{refused} ({hint})" if hint else str(refused))

    def failed(self, error: Exception) -> None:
        """There was no response, or one that cannot be used."""
        reason = next((reason for kinds, reason in _REASONS.items() if isinstance(error, kinds)), "other")
        self._note(reason, f"{reason}: {fault(error).text}"[:300])

    def recovered(self) -> None:
        """A list or a watch has succeeded."""
        if self._seldom.over():
            log.info("kubernetes: the API answers again; %s", self._without.again)

    def no_table(self, columns: Sequence[str]) -> None:
        """The server answers without the columns that were asked for: no error, but less is known."""
        if not self._said_no_table:
            self._said_no_table = True
            log.warning(
                "kubernetes: the API answers with metadata alone, not as a Table: %s unknown", ", ".join(columns)
            )

    def _note(self, reason: str, text: str) -> None:
        self._count.labels(reason=reason).inc()
        if self._seldom.due(reason, HOUR):
            missing, meanwhile = self._without.missing, self._without.meanwhile
            log.warning("kubernetes: cannot get %s: %s; %s; retrying", missing, text.replace("\n", " "), meanwhile)
