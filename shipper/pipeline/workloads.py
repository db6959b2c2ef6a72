"""Whose line it is, in a log that speaks for many pods: what is asked, and what an answer says.

ztunnel writes one log for all pods of its node. It names the pod that a line speaks for, or only its address, and who
had an address depends on the time. The pipeline asks at the moment it reads a line, and never waits: what is not known
then is unknown. Each answer is remembered and saved (`answers`), so nothing is asked twice about one line.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

FOREVER: Final = (1 << 63) - 1
"""The end of a span that nothing limits, in nanoseconds since 1970."""


class Answer(NamedTuple):
    """What is known of a pod or of an address, and for which line times; all in nanoseconds since 1970.

    `fields` are those of a target (see `Target.fields`): `namespace`, `pod`, `uid`, `node`, and what the pod's metadata
    give (`app`, `pod_labels`, `pod_annotations`), each only where it is known. Empty means unknown, which is an answer
    like any other: it holds for its span, too.

    The span begins with `start` and ends before `end`; the time that was asked about lies in it. It should be as wide
    as is certain, and no wider: a line of this span is never asked about again, whatever is learnt later. So an `end`
    in the future is right only for what cannot change (FOREVER, for a pod by its name), and an address is answered up
    to the moment for which its holder was last seen. Each answer that is new, or widens an older one, is written to
    disk before the next push, so wide ones are cheap. Spans that touch and say the same become one.
    """

    fields: Mapping[str, str]
    start: int
    end: int


class Workloads(Protocol):
    """Who knows this node's pods. Both methods return at once, from memory, and raise nothing."""

    def pod(self, namespace: str, name: str, at: int) -> Answer:
        """The pod of this name at this time. `namespace`, `pod` and an `app` made of its name need not be given."""

    def address(self, address: str, at: int) -> Answer:
        """The pod of this node that had this address at this time, with its `namespace` and `pod`. Unknown where it is
        not certain that one pod alone had it: before it was seen with it, after that, and where pods share their
        node's address. `address` is IPv4 or IPv6 without port and brackets, as the log has it."""
