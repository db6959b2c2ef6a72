"""Which address had which holder when, from what a watch tells: objects with their addresses, and that they are gone.

An event says when it was read, not when what it tells has happened. So a claim begins when it was read, and ends at the
last time up to which all changes were known before its end was read (`advance`). However late or broken the watch is,
what is said of a time is said only when all that happened until then is known.

Knows neither the API nor the clock. All times are nanoseconds since 1970, UTC.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from shipper.who.addresses import canonical
from shipper.who.claim import SECOND, Claim, Margins
from shipper.who.holder import UNKNOWN, Answer, Holder, Reason

LATE: Final = 10 * SECOND  # without news of the watch: worth a reason of its own
MOST_GAPS: Final = 100
DAY: Final = 86_400 * SECOND


class History:
    """Claims by address. Ended ones are kept for `keep` nanoseconds, and at most `most_ended` of them."""

    def __init__(self, margins: Margins = Margins(), keep: int = DAY, most_ended: int = 200_000) -> None:  # noqa: B008 frozen
        self._margins, self._keep, self._most_ended = margins, keep, most_ended
        self._claims: dict[str, tuple[Claim, ...]] = {}
        self._objects: dict[str, tuple[Claim, ...]] = {}  # open claims, by the object's uid
        self._ended: deque[Claim] = deque()  # the oldest end first
        self._gaps: deque[tuple[int, int]] = (
            deque()
        )  # between what was known and a list: anybody may have come and gone
        self._late: deque[tuple[int, int]] = deque(maxlen=MOST_GAPS)  # known in the end, but late
        self._floor = 0  # the end of the last gap that was forgotten
        self.known = 0  # all changes up to this time are known; 0: not even the first list
        self.since = 0  # nothing is known of what has ended before this time
        self.evicted = 0  # ended claims that were dropped before their time, because there were too many

    @property
    def addresses(self) -> int:
        """How many addresses anything is known of."""
        return len(self._claims)

    @property
    def ended(self) -> int:
        """How many claims are kept that have ended."""
        return len(self._ended)

    # -- what a watch tells

    def put(
        self, uid: str, holder: Holder, addresses: Iterable[str], now: int, *, restarts: int = 0, listed: bool = False
    ) -> None:
        """An object was seen with these addresses, all that it has.

        `listed`: in a list, of which all rows have the same `now`. `restarts`: of its containers; a pod gets another
        network only together with a restart.
        """
        old = self._objects.get(uid, ())
        wanted = dict.fromkeys(address for text in addresses if (address := self._canonical(text)))
        claims = [claim for claim in old if self._goes_on(claim, wanted, restarts)]
        if len(claims) == len(old) == len(wanted):
            return
        for claim in old:
            if claim not in claims:
                self._end(claim, now)
        held = {claim.address for claim in claims}
        for address in wanted.keys() - held if held else wanted:
            claims.append(self._begin(Claim(address, holder, now, restarts, listed=listed)))
        if claims:
            self._objects[uid] = tuple(claims)
        else:
            self._objects.pop(uid, None)

    def remove(self, uid: str, now: int) -> None:
        """An object was seen to be gone, or to have given up all addresses."""
        for claim in self._objects.pop(uid, ()):
            self._end(claim, now)

    def add(self, claim: Claim) -> None:
        """A claim whose times are known from elsewhere, such as a pod's own status; it is kept for ever."""
        self._claims[claim.address] = (*self._claims.get(claim.address, ()), claim)

    def begin_list(self) -> set[str]:
        """The uids that have an address. Take out those that a list has; the rest are `missing` at its end."""
        return set(self._objects)

    def end_list(self, missing: Iterable[str], now: int) -> None:
        """All of a list was put, with this `now`. What happened between what was known and the list is never known."""
        for uid in missing:
            self.remove(uid, now)
        if self.known:
            self._gaps.append((self.known, now))
        if not self.known or len(self._gaps) > MOST_GAPS:  # a list that broke off may have been put before the first
            end = self._gaps.popleft()[1] if self.known else now
            self._floor = max(self._floor, end + self._margins.settle)

    def advance(self, known: int) -> None:
        """All changes up to this time have been put."""
        if known <= self.known:
            return
        if not self.known:
            self.since = known
        elif known - self.known > LATE:
            self._late.append((self.known, known))
        self.known = known
        self.since = max(self.since, known - self._keep)
        while self._ended and (self._ended[0].gone or 0) < self.since:
            self._forget(self._ended.popleft())

    def restart(self, now: int) -> None:
        """The clock was set: no time so far means anything. Who has an address now is still known."""
        self._ended.clear()
        self._gaps.clear()
        self._late.clear()
        self.known = self.since = 0
        self._floor = now + self._margins.settle
        self._claims = {}
        for claim in (claim for claims in self._objects.values() for claim in claims):
            claim.first = now
            claim.last = None if claim.last is None else 0
            self._claims[claim.address] = (*self._claims.get(claim.address, ()), claim)

    def holds(self, address: str) -> bool:
        """Whether anything is known of an address."""
        return self._canonical(address) in self._claims

    # -- claims

    @staticmethod
    def _goes_on(claim: Claim, wanted: dict[str, None], restarts: int) -> bool:
        """Whether a claim is the same as before. One that was contested is believed again after a restart only."""
        if claim.address not in wanted:
            return False
        if claim.restarts == restarts:
            return True
        if claim.last is not None or claim.doubted:
            return False
        claim.restarts = restarts  # usually a container that crashed: the pod keeps its network
        return True

    def _begin(self, claim: Claim) -> Claim:
        others = self._claims.get(claim.address, ())
        for other in others:
            if other.gone is None and other.holder != claim.holder:
                self._contest(other, claim)
        self._claims[claim.address] = (*others, claim)
        return claim

    def _contest(self, old: Claim, new: Claim) -> None:
        """Two claim one address. The older has lost it, whatever its object still says: a node that is dead says
        nothing."""
        if old.listed and new.listed and old.first > self.known:  # of one list, or of one that broke off before it
            old.doubted = new.doubted = True
        old.last = self.known if old.last is None else old.last
        old.contested = True

    def _end(self, claim: Claim, now: int) -> None:
        claim.last = self.known if claim.last is None else claim.last
        claim.gone = now
        for other in self._claims[claim.address]:  # as long as both claimed it, it was nobody's for sure
            if other.gone is None and other.holder != claim.holder:
                other.first = max(other.first, now)
        self._ended.append(claim)
        if len(self._ended) > self._most_ended:
            oldest = self._ended.popleft()
            self.evicted += 1
            self.since = max(self.since, oldest.gone or 0)
            self._forget(oldest)

    def _forget(self, claim: Claim) -> None:
        left = tuple(other for other in self._claims[claim.address] if other is not claim)
        if left:
            self._claims[claim.address] = left
        else:
            del self._claims[claim.address]

    # -- questions

    def at(self, address: str, nanos: int) -> Answer:
        """Who had an address at a time, as far as is known for sure."""
        key = self._canonical(address)
        if key is None:
            return Answer(UNKNOWN, nanos, nanos, Reason.NOT_AN_ADDRESS)
        claims = self._claims.get(key, ())
        return self._sure(claims, nanos) or self._unknown(claims, nanos)

    def _canonical(self, text: str) -> str | None:
        return text if text in self._claims else canonical(text)

    def _sure(self, claims: tuple[Claim, ...], nanos: int) -> Answer | None:
        """The one holder that is sure, if there is one."""
        for claim in claims:
            start, end = claim.sure(self.known, self._margins)
            if start <= nanos <= end:
                others = [other for other in claims if other.holder != claim.holder]
                if any(other.may_hold(nanos, self._margins) for other in others):
                    return None
                start, end = self._clipped(others, nanos, *self._without_gaps(nanos, start, end))
                return Answer(claim.holder, start, end) if start <= nanos <= end else None
        return None

    def _without_gaps(self, nanos: int, start: int, end: int) -> tuple[int, int]:
        """The part of a span around a time that no gap reaches into; none if it is in a gap itself."""
        start = max(start, self._floor)
        for begin, over in self._gaps:
            if nanos > over + self._margins.settle:
                start = max(start, over + self._margins.settle + 1)
            else:
                end = min(end, begin - self._margins.change)
        return start, end

    def _clipped(self, others: Iterable[Claim], nanos: int, start: int, end: int) -> tuple[int, int]:
        """The part of a span around a time in which none of the others may have had the address."""
        for other in others:
            if other.first > nanos:
                end = min(end, other.first - 1)
            elif other.gone is not None:
                start = max(start, other.gone + self._margins.settle + 1)
        return start, end

    def _unknown(self, claims: tuple[Claim, ...], nanos: int) -> Answer:
        settled = self.known - self._margins.settle
        if not self.known:
            return Answer(UNKNOWN, nanos, nanos, Reason.NOT_READY)
        if nanos > settled:
            return Answer(UNKNOWN, nanos, nanos, Reason.TOO_RECENT)
        near = [claim for claim in claims if self._is_near(claim, nanos)]
        if near:
            return Answer(UNKNOWN, nanos, nanos, self._doubt(near, nanos))
        if nanos < self.since:
            return Answer(UNKNOWN, nanos, nanos, Reason.BEFORE_HISTORY)
        start, end = self._between(claims, nanos)
        return Answer(UNKNOWN, start, end, Reason.NOT_HELD if claims else Reason.NEVER_SEEN)

    def _is_near(self, claim: Claim, nanos: int) -> bool:
        change = self._margins.change
        return claim.first - change <= nanos and (claim.gone is None or nanos <= claim.gone + change)

    def _doubt(self, near: list[Claim], nanos: int) -> Reason:
        """Why none of the claims of about that time is sure."""
        if nanos < self.since and all(claim.first >= nanos for claim in near):
            return Reason.BEFORE_HISTORY
        change = self._margins.change
        if any(start - change <= nanos <= end + change for start, end in (*self._gaps, *self._late)):
            return Reason.WATCH_GAP
        contested = any(claim.contested or claim.doubted for claim in near)
        claimed_by = {claim.holder for claim in near if claim.may_hold(nanos, self._margins)}
        return Reason.AMBIGUOUS if contested or len(claimed_by) > 1 else Reason.CHANGED_HANDS

    def _between(self, claims: Iterable[Claim], nanos: int) -> tuple[int, int]:
        """The span around a time in which nobody was seen with the address."""
        start, end = self.since, self.known - self._margins.settle
        change = self._margins.change
        for claim in claims:
            if claim.first > nanos:
                end = min(end, claim.first - change - 1)
            elif claim.gone is not None:
                start = max(start, claim.gone + change + 1)
        return start, end

    def __iter__(self) -> Iterator[Claim]:
        """All claims: for tests and files."""
        return (claim for claims in self._claims.values() for claim in claims)
