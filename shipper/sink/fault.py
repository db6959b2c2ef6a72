"""Whose fault a failed push is: the destination's, or that of its stream alone.

The first failure is held against the destination. When others are stored then, and the stream fails again, it is the
stream's: it backs off alone. How the failure looks does not matter.
"""

import logging
from collections.abc import Callable

from shipper.log import Seldom
from shipper.sink.answers.status import Unavailable
from shipper.sink.destination import Attempt, Destination
from shipper.sink.schedule import Schedule
from shipper.sink.stream import Stream

log = logging.getLogger(__name__)


class Fault:
    """Tells destination and schedule of failed pushes."""

    def __init__(self, destination: Destination, schedule: Schedule, clock: Callable[[], float]) -> None:
        self._destination, self._schedule, self._clock = destination, schedule, clock
        self._reports = Seldom(clock)
        self.last: tuple[float, str] = (0.0, "")  # of a single stream: when, and why

    def failed(self, stream: Stream, error: Unavailable, attempt: Attempt, *, may_be_alone: bool = True) -> None:
        """The stream's push failed as though Loki were away. `may_be_alone`: others passed with requests like this."""
        now = self._clock()
        if stream.fault or (may_be_alone and stream.failures and self._destination.last_proof > stream.failed_at):
            self._tell(stream, error)
            stream.fault = error
            self.last = now, str(error)
            self._destination.failed_alone(attempt)
            self._schedule.back_off(stream, error.retry_after)
        else:
            self._destination.failed(attempt, error)
        stream.failures += 1
        stream.failed_at = now

    def answered(self, stream: Stream) -> None:
        """Loki answered the stream's push, even if it refused entries."""
        if not stream.failures:
            return
        if stream.fault and self._reports.over():
            log.info("pushes of the stream %.200s are answered again", stream.labels)
        stream.failures, stream.fault = 0, None

    def _tell(self, stream: Stream, error: Unavailable) -> None:
        if not stream.fault and self._reports.due(error.cause):
            log.warning(
                "pushes of the stream %.200s fail while others are stored; it waits alone, nothing is lost; /targets "
                "has all such streams; look at what stands between here and Loki's ingesters: %s",
                stream.labels,
                error,
            )
