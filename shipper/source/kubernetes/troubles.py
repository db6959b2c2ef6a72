"""What can be wrong with the Kubernetes API, and how often its operator is told.

Nothing here is worth an alarm by itself: the agent ships without. Counted each time, said once an hour.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

import aiohttp
import msgspec

from shipper.metrics import Metrics

log = logging.getLogger(__name__)

HOUR: Final = 3600.0
MOST_WAIT: Final = 60.0  # seconds that a Retry-After may ask for
MOST_TEXT: Final = 4096  # bytes of a refusal that are read

_HINTS: Final = {
    401: "the service account's token is not taken; it is read again",
    403: "the service account may not list and watch pods: apply the ClusterRole of the deployment; a server that has "
    "just started says so too",
}


class VersionGone(Exception):
    """The server has forgotten what has changed since the version we know: list again."""


class _Status(msgspec.Struct):
    message: str = ""


class ApiRefused(Exception):
    """An answer that is none: its status, the server's words, and for how many seconds it wants to be left alone."""

    def __init__(self, status: int, message: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{status}: {message[:200]}")
        self.status = status
        self.retry_after = min(retry_after, MOST_WAIT)


async def refusal(response: aiohttp.ClientResponse) -> ApiRefused | VersionGone | None:
    """What an answer refuses, in Kubernetes' words where it has them; None when it refuses nothing."""
    if response.status == 200:
        return None
    if response.status == 410:
        return VersionGone()
    text = await response.content.read(MOST_TEXT)
    try:
        message = msgspec.json.decode(text, type=_Status).message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = text.decode(errors="replace")
    seconds = response.headers.get("Retry-After", "")
    wait = float(seconds) if seconds.isdecimal() else 0.0
    return ApiRefused(response.status, message or str(response.reason), wait)


class Troubles:
    """Counts, and says seldom."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock = metrics.kubernetes_errors, clock
        self._said: dict[str, float] = {}
        self._bad = False  # it was said, and nothing has gone well since

    def expired(self) -> None:
        """Ordinary after a long pause."""
        self._count.labels(reason="410").inc()
        log.debug("kubernetes: the version is gone: all pods are listed again")

    def refused(self, refused: ApiRefused) -> None:
        """The server has answered, and has said no."""
        hint = _HINTS.get(refused.status)
        self._note(str(refused.status), f"{refused} ({hint})" if hint else str(refused))

    def failed(self, reason: str, error: Exception) -> None:
        """There was no answer, or none that could be understood."""
        self._note(reason, f"{reason}: {type(error).__name__}: {error}"[:300])

    def over(self) -> None:
        """Something has gone well."""
        if self._bad:
            self._bad = False
            log.info("kubernetes: pods are known again")

    def _note(self, reason: str, text: str) -> None:
        self._count.labels(reason=reason).inc()
        now = self._clock()
        if now - self._said.get(reason, float("-inf")) >= HOUR:
            self._said[reason] = now
            self._bad = True
            log.warning("kubernetes: pod labels are not to be had: %s; shipping goes on, new pods are named by their "
                        "log's path; tried again", text.replace("\n", " "))  # fmt: skip
