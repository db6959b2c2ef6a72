"""Keep rules, each with the literals it implies.

A rule decides on the parsed record. Its literals are the promise the scan lives on: a line of JSON that the rule
keeps holds at least one of them, however the JSON was escaped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from shipper.pipeline.record import Record


class Verdict(NamedTuple):
    """Why a line is kept, and on whose side of the proxy it failed."""

    failure_reason: str
    side: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept."""

    name: str
    literals: tuple[bytes, ...]
    judge: Callable[[Record], Verdict | None]


_TIMEOUT = Verdict("upstream_timeout", "upstream")


def _upstream_timeout(record: Record) -> Verdict | None:
    flags = record.get("response_flags")
    if type(flags) is not str:
        return None
    return _TIMEOUT if flags == "UT" or "UT" in flags.split(",") else None


# The value begins with the flag, or a comma stands before it; or one of its characters is escaped, and every escape
# of an ASCII letter or comma begins with \u00. The key may be escaped as it likes: no literal looks at it.
UT: Final = Rule("ut", (b'"UT', b",UT", b"\\u00"), _upstream_timeout)

RULES: Final[dict[str, Rule]] = {rule.name: rule for rule in (UT,)}
