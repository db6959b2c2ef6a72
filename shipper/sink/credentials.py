"""Files whose content is used again and again, and read again when they change: secrets, certificates.

Knows nothing of what is in them. A look costs a `stat`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
State = tuple[tuple[int, int, int], ...]  # of each file: modified, inode, size


class Watched(Generic[T]):
    """What `load` made of some files, made anew when one of them has changed.

    While a new state cannot be loaded (a key that does not fit its certificate yet, a secret that is just being
    replaced) the last good value stays in use, and each look tries again.
    """

    def __init__(self, paths: Sequence[str], load: Callable[[], T]) -> None:
        self._paths = paths
        self._load = load
        self._state: State | None = None
        self._value: T | None = None

    def value(self) -> T:
        """The value of now. Raises what `load` raises, or OSError, when there never was a good one."""
        try:
            state = tuple(_state(path) for path in self._paths)
            if self._value is None or state != self._state:
                self._value = self._load()
                self._state = state
        except (OSError, ValueError):
            if self._value is None:
                raise
        return self._value


def _state(path: str) -> tuple[int, int, int]:
    found = Path(path).stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
