"""How long to wait before trying again. Waits are data: whoever holds them does the waiting."""

import random
from collections.abc import Iterator


def waits(first: float, limit: float) -> Iterator[float]:
    """Seconds to wait, for ever: ceilings double from `first` to `limit`, each wait with full jitter.

    No wait is below a fifth of `first`: chance alone must not make a busy loop. One that grows stale is thrown
    away, and the next trouble begins with a new one.
    """
    floor = first / 5
    ceiling = first
    while True:
        yield random.uniform(floor, ceiling)
        ceiling = min(limit, ceiling * 2)
