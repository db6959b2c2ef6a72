"""Keep rules, each with the patterns it implies.

A rule decides on the parsed record. The scan relies on its patterns: each line that the rule keeps matches at least one
of them, whether the line is text or JSON, and however the JSON is escaped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shipper.pipeline import failure
from shipper.pipeline.failure import TIMEOUT, Failure
from shipper.pipeline.record import Record


@dataclass(frozen=True, slots=True)
class KeepRule:
    """What to keep: `judge` returns the failure of a record, or None if its line is not kept."""

    name: str
    patterns: tuple[bytes, ...]
    judge: Callable[[Record], Failure | None]
    decided_by: tuple[str, ...] = ()  # the keys that the decision depends on; empty: too many to list


def _upstream_timeout(record: Record) -> Failure | None:
    flags = record.get("response_flags")
    if type(flags) is not str:
        return None
    return TIMEOUT if flags == "UT" or "UT" in flags.split(",") else None


UT: Final = KeepRule("ut", (failure.TIMED_OUT, failure.ESCAPED), _upstream_timeout, ("response_flags",))

MTLS: Final = KeepRule("mtls", (*UT.patterns, *failure.PATTERNS), failure.classify)

KEEP_RULES: Final[dict[str, KeepRule]] = {rule.name: rule for rule in (UT, MTLS)}
