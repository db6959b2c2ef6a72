"""What is said of an address at a time: who had it, for which span that is known, or why it is not known."""

from enum import StrEnum
from typing import Final, Literal

import msgspec

Kind = Literal["pod", "node", "service", "external", "unknown"]


class Holder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Who has an address. What does not apply, or is not known, is empty.

    `node`: of the host network, or of the node itself: its pods share its address. `service` is for those who know the
    address of a Service for sure; nothing here does. `app`: from the labels, else the workload's name. `owner`: the
    workload: a Deployment, StatefulSet, DaemonSet, Job or CronJob.
    """

    kind: Kind
    namespace: str = ""
    pod: str = ""
    app: str = ""
    owner: str = ""
    node: str = ""
    service_account: str = ""


UNKNOWN: Final = Holder("unknown")
EXTERNAL: Final = Holder("external")


class Reason(StrEnum):
    """Why nobody is named."""

    NOT_READY = "not_ready"  # pods and nodes are not yet all known
    NOT_AN_ADDRESS = "not_an_address"
    NEVER_SEEN = "never_seen"  # nobody has had it, as far back as is known
    NOT_HELD = "not_held"  # nobody had it then, but before or after
    CHANGED_HANDS = "changed_hands"  # it came or went about then
    AMBIGUOUS = "ambiguous"  # two claimed it then
    BEFORE_HISTORY = "before_history"  # longer ago than is known
    WATCH_GAP = "watch_gap"  # changes of then were not seen when they happened
    TOO_RECENT = "too_recent"  # a change of then may not be known yet: ask again


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The same answer is given for every time from `start` to `end`, both included: nanoseconds since 1970, UTC.

    `end` is never in the future: whoever has the address now may lose it. `reason` is empty where the holder is known.
    """

    holder: Holder
    start: int
    end: int
    reason: str = ""
