"""What an operator must be told about the logs: what happened and what to do, once or seldom."""

import logging
import math
from collections import Counter

from shipper.log import HOUR, MINUTE, Seldom
from shipper.pipeline.result import TEXT_FORMAT, TOO_LONG, UNKNOWN_FORMAT, Result
from shipper.source.positions.file import SavedTarget

log = logging.getLogger(__name__)


class Notices:
    """Writes it into the agent's own log, and not too often."""

    def __init__(self, seldom: Seldom | None = None) -> None:
        self._seldom = seldom or Seldom()
        self._unshipped: Counter[str] = Counter()  # failed handshakes, by reason, since the start
        self._unshipped_said = 0  # of them, when they were last said
        self._seldom.due("unshipped", HOUR)  # an hour from now, if the first pass takes longer

    def extracted(self, result: Result) -> None:
        """Warn about what a block held, where that is necessary."""
        if result.filtered[TEXT_FORMAT] and self._seldom.due(TEXT_FORMAT, math.inf):
            log.warning(
                "access logs are in Istio's text format, of which keep: ut ships nothing: set "
                "meshConfig.accessLogEncoding: JSON, or keep: mtls, which reads both formats; "
                'counted as shipper_lines_filtered_total{reason="text_format"}'
            )
        if result.filtered[UNKNOWN_FORMAT] and self._seldom.due(UNKNOWN_FORMAT, math.inf):
            log.warning(
                "JSON lines have none of the access log's keys, so no failure in them can be found: if they are an "
                "access log whose keys have other names, say these in scrape_configs[].fields; "
                'counted as shipper_lines_filtered_total{reason="unknown_format"}'
            )
        if result.dropped[TOO_LONG] and self._seldom.due(TOO_LONG, HOUR):
            log.error("a line is longer than limits_config.max_line_size and was dropped: raise it if such lines are "
                      'wanted; counted as shipper_entries_dropped_total{reason="line_too_long"}')  # fmt: skip
        if result.failures:
            self._note_failures(result)
        if result.overflowed and self._seldom.due("overflow", HOUR):
            log.warning(
                "too many values of the label %s: new ones become __overflow__, the lines are shipped all the same; "
                "if these values are wanted, raise limits_config.max_label_values or max_streams",
                ", ".join(sorted(result.overflowed)),
            )

    def _note_failures(self, result: Result) -> None:
        for kind, times in result.failures.items():
            if not kind.shipped:
                self._unshipped[kind.reason] += times
        self.unshipped_hourly()

    def unshipped_hourly(self) -> None:
        """Say how many failed handshakes were not shipped, if that was last said an hour ago."""
        if self._unshipped.total() > self._unshipped_said and self._seldom.due("unshipped", HOUR):
            self.unshipped()

    def unshipped(self) -> None:
        """Say how many failed handshakes were not shipped since the start, unless that was said already."""
        total = self._unshipped.total()
        if total > self._unshipped_said:
            self._unshipped_said = total
            log.warning(
                "since the start %d failed mTLS handshakes were seen and not shipped (%s): keep: ut ships lines with "
                "the flag UT, which no failed handshake has; set keep: mtls to ship them (logged at most once an hour, "
                "and at the end)",
                total,
                ", ".join(f"{reason} {times}" for reason, times in self._unshipped.most_common()),
            )

    def no_logs(self, why: str) -> None:
        """The first scan has found no log."""
        log.warning("0 logs: %s (normal where no such pod runs)", why)

    def gone(self, target: str, saved: SavedTarget) -> None:
        """A pod was deleted while no agent ran."""
        known = f"at {'most' if saved.ended else 'least'} {saved.unread} bytes"
        log.error("%s was deleted while no agent ran%s; lost %s, less if requests that were in flight when the agent "
                  "ended have reached Loki; expected after long downtime",
                  target, "" if saved.ended else ", and its end was not seen", known)  # fmt: skip

    def unreadable_root(self, root: str, error: OSError) -> None:
        """Nothing can be read at all."""
        if self._seldom.due("root", MINUTE):
            log.error("cannot list the log directory %s: %s; nothing is read, retrying", root, error.strerror)

    def unreadable_directory(self, directory: str, error: OSError) -> None:
        """One log cannot be read."""
        if self._seldom.due(directory, HOUR):
            log.warning("cannot list %s: %s; this log is not read, retrying", directory, error.strerror)
