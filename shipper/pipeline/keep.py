"""Keep rules, each with the patterns it implies.

A rule decides on the parsed record, of Envoy or of ztunnel. The scan relies on its patterns: each line that the rule
keeps matches at least one of them, whether the line is text or JSON, and however the JSON is escaped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from shipper.pipeline import failure, ztunnel
from shipper.pipeline.failure import TIMEOUT, Failure
from shipper.pipeline.record import Record


@dataclass(frozen=True, slots=True)
class KeepRule:
    """What to keep: `judge` returns the failure of a record, or None if its line is not kept."""

    name: str
    patterns: tuple[bytes, ...]
    judge: Callable[[Record], Failure | None]
    judge_at_gateway: Callable[[Record], Failure | None] | None = None  # where it differs from `judge`
    judge_of_ztunnel: Callable[[Record], Failure | None] = lambda _: None
    decided_by: tuple[str, ...] = ()  # the keys that the decision depends on; empty: too many to list

    def judge_for(self, *, is_gateway: bool) -> Callable[[Record], Failure | None]:
        """How the lines of one target are judged."""
        return self.judge_at_gateway if is_gateway and self.judge_at_gateway else self.judge


def _upstream_timeout(record: Record) -> Failure | None:
    flags = record.get("response_flags")
    if type(flags) is not str:
        return None
    return TIMEOUT if flags == "UT" or "UT" in flags.split(",") else None


UT: Final = KeepRule("ut", (failure.TIMED_OUT, failure.ESCAPED), _upstream_timeout, decided_by=("response_flags",))

MTLS: Final = KeepRule(
    "mtls",
    (*UT.patterns, *failure.PATTERNS, ztunnel.FAILED),
    failure.classify,
    partial(failure.classify, is_gateway=True),
    ztunnel.classify,
)

KEEP_RULES: Final[dict[str, KeepRule]] = {rule.name: rule for rule in (UT, MTLS)}
