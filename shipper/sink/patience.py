"""How long a push waits for its answer before it counts as failed: longer for a Loki that is known to be slow.

A push that counts as failed stays open for a while. Loki may have stored it at once and only answer late; if it was
given up then, each push would be sent again for ever. Its late answer tells how long the next ones have to wait.
"""

import logging

from shipper.log import Seldom
from shipper.sink.stream import Stream

log = logging.getLogger(__name__)

LONGEST = 60.0  # seconds; a configured `timeout` may be longer


class Patience:
    """Times are in seconds."""

    def __init__(self, usual: float, reports: Seldom) -> None:
        """`usual`: the configured `timeout`."""
        self._usual, self._reports = usual, reports
        self._took = 0.0  # the last answer, of any stream, while answers are slow
        self.longest = max(usual, LONGEST)  # a push stays open

    @property
    def is_long(self) -> bool:
        """Whether answers are slow."""
        return self._took > 0

    def of(self, stream: Stream) -> float:
        """After how long without an answer a push of the stream counts as failed."""
        slow = self._took or stream.answer_took
        return max(self._usual, min(self.longest, 2 * max(self._took, stream.answer_took))) if slow else self._usual

    def answered(self, stream: Stream, seconds: float) -> None:
        """Loki's answer to a push of the stream took so long."""
        is_slow = seconds > self._usual
        if is_slow or self._took or stream.answer_took:
            self._took = stream.answer_took = seconds if 2 * seconds > self._usual else 0.0
        if is_slow and self._reports.due("slow"):
            log.warning(
                "Loki took %.1f s to answer, though timeout is %g s: pushes wait up to %g s from now on, and what gets "
                "no answer is sent again in smaller parts; nothing is lost; see why Loki is slow, or raise timeout",
                seconds,
                self._usual,
                self.longest,
            )
