"""Who may read how much ahead of Loki's answers.

A target may hold one of seven shares of the memory that is still free: alone it gets an eighth of the whole, and never
all of it. So a target whose stream is refused stops alone, and nobody has to know that it is refused.
"""

from typing import Final

SHARES_OF_FREE: Final = 7
SMALLEST_READ: Final = 1 << 16  # bytes; less is not worth a turn


class Budget:
    """Memory for entries that are not settled, in bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.pending = 0  # held by entries that are not settled

    @property
    def free(self) -> int:
        """Bytes that are left; negative where a block came to more than there was."""
        return self._limit - self.pending

    @property
    def is_used_up(self) -> bool:
        """Whether even a target that holds nothing had better wait."""
        return self.free < (SHARES_OF_FREE + 1) * SMALLEST_READ

    def room(self, held: int) -> int:
        """Bytes that a target may read now that holds so many; not to be used when it is less than SMALLEST_READ."""
        room = self.free // SHARES_OF_FREE - held
        return max(room, SMALLEST_READ) if self.free > 0 and not held else room
