"""The agent's own log, on stderr: text for people or JSON for a collector. What repeats is logged seldom."""

import logging
import math
import sys
import time
from collections.abc import Callable
from typing import Final

import orjson

MINUTE: Final = 60.0
HOUR: Final = 3600.0


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"ts": _time(record), "level": _level(record), "msg": record.getMessage(), "logger": record.name}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = f"{_time(record)} {_level(record):5} {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def _level(record: logging.LogRecord) -> str:
    return {"WARNING": "warn", "CRITICAL": "error"}.get(record.levelname, record.levelname.lower())


def set_up(level: str, form: str) -> None:
    """Log from now on, from this level, as `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def counted_entries(number: int) -> str:
    """Their number, as a sentence has it."""
    return "1 entry" if number == 1 else f"{number} entries"


class Seldom:
    """Decides which repeated message is logged: the first at once, then at most one each period.

    The key of a message is a reason, or the name of what has failed.
    """

    MOST_KEYS: Final = 1000  # then all are forgotten, so that memory stays bounded

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}  # when, by key
        self._counts: dict[str, int] = {}  # since then
        self._any_since_over = False

    def due(self, key: str, every: float = MINUTE, times: int = 1) -> int:
        """How many times it has happened since it was logged, these included; 0 while it is not to be logged again.

        `every` is in seconds; infinite: only once.
        """
        now, count = self._clock(), self._counts.pop(key, 0) + times
        if now < self._logged.get(key, -math.inf) + every:
            self._counts[key] = count
            return 0
        if len(self._logged) >= self.MOST_KEYS:
            self._logged.clear()
            self._counts.clear()
        self._logged[key] = now
        self._any_since_over = True
        return count

    def over(self) -> bool:
        """The errors are over: whether any was logged since the last call, so that their end is worth a line too."""
        was, self._any_since_over = self._any_since_over, False
        return was
