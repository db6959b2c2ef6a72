"""Keep rules, each with the patterns it implies.

A rule decides on the parsed record. Its patterns are the promise the scan lives on: a line that the rule keeps matches
at least one of them, be it text or JSON, however that was escaped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shipper.pipeline import failure
from shipper.pipeline.failure import Failure
from shipper.pipeline.record import Record


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept: `judge` gives the reason, or None for a line that is not wanted."""

    name: str
    patterns: tuple[bytes, ...]
    judge: Callable[[Record], Failure | None]
    decided_by: tuple[str, ...] = ()  # the keys that the judgement depends on; empty: too many to name


TIMEOUT: Final = Failure("upstream_timeout", failure.UPSTREAM)


def _upstream_timeout(record: Record) -> Failure | None:
    flags = record.get("response_flags")
    if type(flags) is not str:
        return None
    return TIMEOUT if flags == "UT" or "UT" in flags.split(",") else None


UT: Final = Rule("ut", (failure.TIMED_OUT, failure.ESCAPED), _upstream_timeout, ("response_flags",))

MTLS: Final = Rule("mtls", (*UT.patterns, *failure.PATTERNS), failure.classify)

RULES: Final[dict[str, Rule]] = {rule.name: rule for rule in (UT, MTLS)}
