"""What an operator must be told about the logs, once or seldom, in words that say what to do."""

import logging
import time
from pathlib import Path

from shipper.pipeline.pipeline import TEXT_FORMAT, TOO_LONG, Extract

log = logging.getLogger(__name__)

HOUR = 3600.0


class Notices:
    """Remembers what was said."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def extracted(self, extract: Extract) -> None:
        """A block may hold what needs a word."""
        if extract.filtered[TEXT_FORMAT] and self._is_due(TEXT_FORMAT, float("inf")):
            log.warning(
                "these access logs are Istio's text format, of which nothing can be kept: set "
                "meshConfig.accessLogEncoding: JSON, or apply the EnvoyFilter of the deployment; "
                'counted as shipper_lines_filtered_total{reason="text_format"}'
            )
        if extract.dropped[TOO_LONG] and self._is_due(TOO_LONG, HOUR):
            log.error("a line is longer than limits_config.max_line_size and was dropped; counted as "
                      'shipper_entries_dropped_total{reason="line_too_long"}')  # fmt: skip
        if extract.overflowed and self._is_due("overflow", HOUR):
            log.warning(
                "too many values of the label %s: further ones become __overflow__, the lines are kept; "
                "see limits_config.max_label_values and max_streams",
                ", ".join(sorted(extract.overflowed)),
            )

    def unreadable_root(self, root: Path, error: OSError) -> None:
        """Nothing can be read at all."""
        if self._is_due("root", 60):
            log.error("cannot list the log directory %s: %s; tried again", root, error.strerror)

    def unreadable_directory(self, directory: Path, error: OSError) -> None:
        """One target cannot be read."""
        if self._is_due(str(directory), HOUR):
            log.warning("cannot list %s: %s; tried again", directory, error.strerror)

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now - self._said.get(what, float("-inf")) < every:
            return False
        if len(self._said) > 1000:
            self._said.clear()
        self._said[what] = now
        return True
