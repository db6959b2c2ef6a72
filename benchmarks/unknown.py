"""`python -m benchmarks.unknown`: how often nobody is named, in a model of a cluster.

Of pods that live for some time on average, one at random fails a handshake, and its address is asked about: how long
after, is drawn from a range. The pods' ends are random too (exponential), and addresses are given again at random.
The API is told of changes up to 0.6 s late, clocks are 0.2 s apart, a watch is read each 0.1 s, ends after 1 s, and is
lost now and then, or never. Nothing here takes time: a second of the model is a thousand steps of a counter.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from lab.pod_addresses import MARGINS, SKEW, Cluster, Directory
from shipper.who import Answer, Margins, Reason

READ, WATCH, AGAIN = 100, 1000, 10  # ms: between reads; of a watch; until the next one is open
YOUNGEST: Final = 200  # ms from a failure to the question about it


@dataclass(frozen=True, slots=True)
class Churn:
    """What happens, in ms."""

    life: int  # of a pod, on average
    age: int  # of a question when it is asked, at most
    lost: int = 0  # between two losses of the watch, each followed by a list; 0: it is never lost
    wait: int = 1800  # for which a question is held
    pods: int = 200
    addresses: int = 254
    lives: int = 3000  # that are looked at
    each: int = 50  # between two questions


class _Question(NamedTuple):
    address: str
    pod: str
    at: int
    until: int  # when it is answered with what is known


def shares(churn: Churn, seed: int = 1, margins: Margins = MARGINS) -> dict[str, float]:
    """Shares of the answers by reason; empty: the pod was named. Raises ValueError for a name that is wrong."""
    source = random.Random(seed)
    cluster = Cluster(source, addresses=[f"10.0.0.{number}" for number in range(1, churn.addresses + 1)])
    directory, found, waiting = Directory(cluster, SKEW, margins), Counter[str](), list[_Question]()
    for _ in range(churn.pods):
        cluster.start()
    cluster.wait(10_000)
    directory.open()
    end = cluster.now + max(60_000, churn.life * churn.lives // churn.pods)
    opened, lost, asked = cluster.now, cluster.now, cluster.now + 10_000
    for death in _deaths(source, churn, cluster.now):
        while cluster.now < min(death, end):
            cluster.wait(min(READ, death - cluster.now) or 1)
            directory.read(10**9)
            if churn.lost and cluster.now - lost >= churn.lost:
                directory.lose()
                lost = cluster.now
                directory.list(200)
                directory.open()
                opened = cluster.now
            if cluster.now - opened >= WATCH:
                directory.end()
                cluster.wait(AGAIN)
                directory.open()
                opened = cluster.now
            if cluster.now >= asked:
                held = source.choice(cluster.held)
                age = source.randint(YOUNGEST, churn.age)
                at = cluster.now + source.randint(-SKEW, SKEW)
                waiting.append(_Question(held.address, held.uid, at, cluster.now + age + churn.wait))
                asked = cluster.now + churn.each
            waiting = [one for one in waiting if not _answered(one, directory, cluster.now, found, churn)]
        if cluster.now >= end:
            break
        cluster.stop()
        cluster.start()
        cluster.truth = [one for one in cluster.truth if one.end is None]
    return {reason: number / found.total() for reason, number in found.items()}


def _deaths(source: random.Random, churn: Churn, begin: int) -> Iterator[int]:
    at = float(begin)
    while True:
        at += source.expovariate(churn.pods / churn.life)
        yield round(at)


def _answered(one: _Question, directory: Directory, now: int, found: Counter[str], churn: Churn) -> bool:
    if now < one.until - churn.wait:
        return False  # it is not asked yet
    answer: Answer = directory.history.at(one.address, one.at)
    if answer.reason == Reason.TOO_RECENT and now < one.until:
        return False
    if answer.holder.pod not in ("", one.pod):
        raise ValueError(f"{answer.holder.pod} was named, and it was {one.pod}")
    found[str(answer.reason)] += 1
    return True


LIVES: Final = {"1 h": 3_600_000, "10 min": 600_000, "1 min": 60_000}
AGES: Final = {"10 s": 10_000, "1.2 s": 1_200}


def main() -> None:
    """Simulate, and print."""
    for life, milliseconds in LIVES.items():
        for old, age in AGES.items():
            for lost in (0, 600_000):
                found = shares(Churn(milliseconds, age, lost))
                named = found.pop("", 0.0)
                why = ", ".join(f"{reason} {share:.2%}" for reason, share in sorted(found.items()))
                beside = "watch lost every 10 min" if lost else "watch never lost"
                print(f"pods live {life}, asked up to {old} after, {beside}: {1 - named:.2%} unknown ({why})")


if __name__ == "__main__":
    main()
