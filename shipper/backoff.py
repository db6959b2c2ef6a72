"""How long to wait before the next try. Waits are data: the caller does the waiting."""

import random
from collections.abc import Callable, Iterator


def waits(first: float, limit: float, between: Callable[[float, float], float] = random.uniform) -> Iterator[float]:
    """Seconds to wait, without end: ceilings double from `first` to `limit`, each wait with full jitter.

    No wait is below a fifth of `first`, or chance could make a busy loop. `between` draws a number between two others.
    """
    floor = first / 5
    ceiling = first
    while True:
        yield between(floor, ceiling)
        ceiling = min(limit, ceiling * 2)
