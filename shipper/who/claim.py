"""One holder's claim on one address, from when it was first seen with it until it was seen without."""

import msgspec

from shipper.who.holder import Holder

SECOND = 1_000_000_000  # nanoseconds


class Margins(msgspec.Struct, frozen=True):
    """Nanoseconds by which times may be off.

    `settle` is how late a change can be told, and how far clocks differ: so long after the asked time the holder of
    that time is known. `change` is kept off the end of a claim once it is known.
    """

    settle: int = 1 * SECOND
    change: int = 3 * SECOND


class Claim(msgspec.Struct, gc=False, eq=False):
    """All times in nanoseconds since 1970, UTC."""

    address: str
    holder: Holder
    first: int  # it was seen with the address at this time
    restarts: int = 0  # of its containers; a new network needs one
    last: int | None = None  # it had the address up to here for sure; None: up to all that is known
    gone: int | None = None  # it was seen without; None: not yet
    listed: bool = False  # first seen in a list: which of two claims in one list is the older is not known
    contested: bool = False  # another claimed the address while it still did
    doubted: bool = False  # two claims came in one list: either may be out of date

    def sure(self, known: int, margins: Margins) -> tuple[int, int]:
        """The first and the last time at which the holder had the address for sure; none if they are the wrong way
        round. `known`: all changes up to it are."""
        if self.doubted:
            return 1, 0
        end = known - margins.settle if self.last is None else self.last - margins.change
        return self.first + margins.settle, end

    def may_hold(self, nanos: int, margins: Margins) -> bool:
        """Whether the holder may have had the address then, once it was seen with it."""
        return self.first <= nanos and (self.gone is None or nanos <= self.gone + margins.settle)
