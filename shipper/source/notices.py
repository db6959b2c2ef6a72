"""What an operator must be told about the logs, once or seldom, in words that say what to do."""

import logging
import math
from collections import Counter

from shipper.log import HOUR, MINUTE, Seldom
from shipper.pipeline.result import TEXT_FORMAT, TOO_LONG, Result

log = logging.getLogger(__name__)


class Notices:
    """Logs it, and not too often."""

    def __init__(self, seldom: Seldom | None = None) -> None:
        self._seldom = seldom or Seldom()
        self._unshipped: Counter[str] = Counter()  # failed handshakes, by reason, since that was said

    def extracted(self, result: Result) -> None:
        """A block may hold what needs a word."""
        if result.filtered[TEXT_FORMAT] and self._seldom.due(TEXT_FORMAT, math.inf):
            log.warning(
                "these access logs are Istio's text format, of which keep: ut ships nothing: set "
                "meshConfig.accessLogEncoding: JSON, or keep: mtls, which reads both; "
                'counted as shipper_lines_filtered_total{reason="text_format"}'
            )
        if result.dropped[TOO_LONG] and self._seldom.due(TOO_LONG, HOUR):
            log.error("a line is longer than limits_config.max_line_size and was dropped; counted as "
                      'shipper_entries_dropped_total{reason="line_too_long"}')  # fmt: skip
        if result.failures:
            self._note_failures(result)
        if result.overflowed and self._seldom.due("overflow", HOUR):
            log.warning(
                "too many values of the label %s: further ones become __overflow__, the lines are kept; "
                "see limits_config.max_label_values and max_streams",
                ", ".join(sorted(result.overflowed)),
            )

    def _note_failures(self, result: Result) -> None:
        for kind, times in result.failures.items():
            if not kind.shipped:
                self._unshipped[kind.reason] += times
        if self._unshipped and self._seldom.due("unshipped", HOUR):
            log.warning(
                "%d failed mTLS handshakes were seen and not shipped (%s): keep: ut ships what is flagged UT, and no "
                "failed handshake is; set keep: mtls (said once an hour at most)",
                self._unshipped.total(),
                ", ".join(f"{reason} {times}" for reason, times in self._unshipped.most_common()),
            )
            self._unshipped.clear()

    def gone(self, target: str, unread: int) -> None:
        """A pod was deleted while no agent ran."""
        log.error("%s was deleted while no agent ran: lines lost, at most %d bytes; what was under way when the agent "
                  "ended may have arrived", target, unread)  # fmt: skip

    def unreadable_root(self, root: str, error: OSError) -> None:
        """Nothing can be read at all."""
        if self._seldom.due("root", MINUTE):
            log.error("cannot list the log directory %s: %s; tried again", root, error.strerror)

    def unreadable_directory(self, directory: str, error: OSError) -> None:
        """One target cannot be read."""
        if self._seldom.due(directory, HOUR):
            log.warning("cannot list %s: %s; tried again", directory, error.strerror)
