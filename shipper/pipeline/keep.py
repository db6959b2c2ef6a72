"""Keep rules, each with the literals it implies.

A rule decides on the parsed record. Its literals are the promise the scan lives on: a line of JSON that the rule
keeps holds at least one of them, however the JSON was escaped.
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
    literals: tuple[bytes, ...]
    judge: Callable[[Record], Failure | None]


TIMEOUT: Final = Failure("upstream_timeout", failure.UPSTREAM)


def _upstream_timeout(record: Record) -> Failure | None:
    flags = record.get("response_flags")
    if type(flags) is not str:
        return None
    return TIMEOUT if flags == "UT" or "UT" in flags.split(",") else None


# The value begins with the flag, or a comma stands before it; or one of its characters is escaped, and every escape
# of an ASCII letter or comma begins with \u00. The key may be escaped as it likes: no literal looks at it.
UT: Final = Rule("ut", (b'"UT', b",UT", b"\\u00"), _upstream_timeout)

MTLS: Final = Rule("mtls", failure.LITERALS, failure.classify)

RULES: Final[dict[str, Rule]] = {rule.name: rule for rule in (UT, MTLS)}
