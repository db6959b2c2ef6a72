"""A model of a cluster: pods come, go, restart and reuse addresses, and the API tells of it a little later.

What is true is kept apart from what the API shows, and that from what a watch has brought to the directory. A unit of
time is a millisecond; the history counts nanoseconds, so a margin of it is given in the same unit.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from shipper.who import History, Holder, Margins

LAG: Final = 600  # by which a change reaches the API at most
SKEW: Final = 200  # by which a log's clock, and the directory's, may be off
MARGINS: Final = Margins(settle=LAG + 2 * SKEW, change=3000)
ADDRESSES: Final = ("10.0.0.1", "10.0.0.2", "10.0.0.3")


@dataclass(frozen=True)
class Shown:
    """A pod as the API shows it."""

    uid: str
    address: str  # empty: none
    restarts: int = 0

    @property
    def holder(self) -> Holder:
        return Holder("pod", "shop", self.uid)


@dataclass
class Held:
    """The truth: a pod had an address from `start` until `end`."""

    uid: str
    address: str
    start: int
    end: int | None = None
    silent: bool = False  # its end was told to nobody


@dataclass
class Cluster:
    """The truth, and the API's log of changes: when, the uid, and what it shows; None: deleted."""

    random: random.Random
    now: int = 1_000_000
    addresses: Sequence[str] = ADDRESSES
    truth: list[Held] = field(default_factory=list)
    log: list[tuple[int, str, Shown | None]] = field(default_factory=list)
    shown: dict[str, Shown] = field(default_factory=dict)
    _reports: list[tuple[int, str, Shown | None]] = field(default_factory=list)
    _number: int = 0

    def wait(self, time: int) -> None:
        """Let time pass; what was reported reaches the API."""
        self.now += time
        self._reports.sort(key=lambda report: report[0])
        while self._reports and self._reports[0][0] <= self.now:
            self._apply(*self._reports.pop(0))

    def _apply(self, when: int, uid: str, shown: Shown | None) -> None:
        if shown is None:
            if uid not in self.shown:
                return
            del self.shown[uid]
        elif self.shown.get(uid) == shown:
            return
        else:
            self.shown[uid] = shown
        self.log.append((when, uid, shown))

    def _report(self, uid: str, shown: Shown | None) -> None:
        """In the order of this pod's changes, and at most `LAG` late."""
        due = max([self.now + self.random.randint(0, LAG), *(one[0] for one in self._reports if one[1] == uid)])
        self._reports.append((min(due, self.now + LAG), uid, shown))

    def _is_reported(self, uid: str) -> bool:
        """Whether the API will show it soon."""
        return any(report[1] == uid for report in self._reports)

    @property
    def held(self) -> list[Held]:
        return [held for held in self.truth if held.end is None]

    @property
    def free(self) -> list[str]:
        taken = {held.address for held in self.held}
        return [address for address in self.addresses if address not in taken]

    def start(self) -> None:
        """A pod gets an address, if there is a free one."""
        self._number += 1
        self._give(Shown(f"pod-{self._number}", ""))

    def _give(self, pod: Shown) -> None:
        if free := self.free:
            shown = replace(pod, address=self.random.choice(free))
            self.truth.append(Held(pod.uid, shown.address, self.now))
            self._report(pod.uid, shown)
        else:
            self._report(pod.uid, pod)

    def _any(self) -> Held | None:
        held = self.held
        return self.random.choice(held) if held else None

    def stop(self) -> None:
        """A pod gives up its address and is deleted."""
        if held := self._any():
            held.end = self.now
            self._report(held.uid, None)

    def restart(self) -> None:
        """A pod's network is made anew, at once."""
        if held := self._any():
            held.end = self.now
            known = self.shown.get(held.uid, Shown(held.uid, ""))
            restarts = max(
                [known.restarts, *(one[2].restarts for one in self._reports if one[1] == held.uid and one[2])]
            )
            self._give(Shown(held.uid, "", restarts + 1))

    def crash(self) -> None:
        """A container begins again; the pod keeps its network."""
        held = self._any()
        shown = self.shown.get(held.uid) if held else None
        if held and shown and shown.address == held.address and not self._is_reported(held.uid):
            self._report(held.uid, replace(shown, restarts=shown.restarts + 1))

    def force(self) -> None:
        """A pod is deleted from the API at once, and ends whenever its node hears of it.

        The API has shown it with its address, and shows no dead pod there: who listed the pods now could not know.
        """
        held = self._any()
        if held and {pod.uid for pod in self.shown.values() if pod.address == held.address} == {held.uid}:
            self._reports = [one for one in self._reports if one[1] != held.uid]
            self._apply(self.now, held.uid, None)

    def end_forced(self) -> None:
        """The node hears of it."""
        for held in self.held:
            if held.uid not in self.shown and not self._is_reported(held.uid):
                held.end = self.now

    def die(self) -> None:
        """A node dies: its pod's address is free, and the API shows the pod as before."""
        if held := self._any():
            held.end, held.silent = self.now, True

    def collect(self) -> None:
        """What has died is deleted from the API."""
        for held in self.truth:
            if held.silent and held.uid in self.shown:
                self._report(held.uid, None)

    def holder(self, address: str, time: int) -> Held | None:
        """Who truly had it; of one that has died silently until another has it."""
        found = [
            one for one in self.truth
            if one.address == address and one.start <= time and (one.end is None or one.silent or time < one.end)
        ]  # fmt: skip
        return found[-1] if found else None


@dataclass
class Directory:
    """Lists and watches the cluster as the directory does, with a clock that is off."""

    cluster: Cluster
    offset: int
    margins: Margins = MARGINS
    history: History = field(init=False)
    _read: int | None = None  # how much of the log it has; None: a list is due
    _opened: int = 0
    _is_open: bool = False

    def __post_init__(self) -> None:
        self.restart()

    @property
    def now(self) -> int:
        return self.cluster.now + self.offset

    def list(self, while_it_lasts: int) -> None:
        """Asked, answered with a state of meanwhile, and received some time later."""
        asked = self.now
        self.cluster.wait(while_it_lasts // 2)
        shown, self._read = dict(self.cluster.shown), len(self.cluster.log)
        first = self.now
        self.cluster.wait(while_it_lasts - while_it_lasts // 2)
        missing = self.history.begin_list()
        for pod in shown.values():
            addresses = [pod.address] if pod.address else []
            self.history.put(pod.uid, pod.holder, addresses, first, restarts=pod.restarts, listed=True)
            missing.discard(pod.uid)
        self.history.end_list(missing, first)
        self.history.advance(asked)
        self._is_open = False

    def open(self) -> None:
        """Open a watch."""
        if self._read is None:
            self.list(10)
        self._opened, self._is_open = self.now, True

    def read(self, most: int) -> None:
        """Read some of the events that are there."""
        if self._is_open and self._read is not None:
            for _, uid, shown in self.cluster.log[self._read : self._read + most]:
                self._read += 1
                if shown is None:
                    self.history.remove(uid, self.now)
                else:
                    addresses = [shown.address] if shown.address else []
                    self.history.put(uid, shown.holder, addresses, self.now, restarts=shown.restarts)

    def end(self) -> None:
        """The watch ends in good order: all of it was read."""
        if self._is_open:
            self.read(10**6)
            self.history.advance(self.now)
            self._is_open = False

    def end_late(self, late: int) -> None:
        """It has ended in good order, and its end is read some time later."""
        if self._is_open and self._read is not None:
            ended, there = self.now, len(self.cluster.log)
            self.cluster.wait(late)
            self.read(there - self._read)
            self.history.advance(ended)
            self._is_open = False

    def restart(self) -> None:
        """The directory begins anew, and knows nothing of before."""
        self.history = History(self.margins, keep=10**9)
        self.lose()

    def lose(self) -> None:
        """The watch breaks, and the server no longer has the changes since."""
        self._read, self._is_open = None, False


def wrong_answers(cluster: Cluster, history: History, times: Iterable[int]) -> list[str]:
    """Answers that name somebody else than who truly had it."""
    found = []
    for address in cluster.addresses:
        for time in times:
            true = cluster.holder(address, time)
            for asked in (time - SKEW, time, time + SKEW):
                answer = history.at(address, asked)
                named = answer.holder.pod
                if named and (true is None or true.uid != named):
                    found.append(f"{address} at {asked - 1_000_000}: {named}, truly {true}")
    return found
