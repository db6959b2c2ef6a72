"""What reading may cost: files truncated, lost or unreadable, until someone counts it."""

import errno
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Losses:
    """What has gone wrong since this was last counted."""

    truncated: int = 0  # files that were truncated or overwritten while they were read
    files: int = 0  # that were deleted before they were fully read
    bytes: int = 0  # of those, as far as anyone knows
    read_errors: Counter[str] = field(default_factory=Counter)  # by errno name

    def cannot_read(self, error: OSError) -> None:
        """Count it by its name, `EACCES`; those that the system has no number for as `other`."""
        self.read_errors[errno.errorcode.get(error.errno or 0, "other")] += 1

    def __bool__(self) -> bool:
        return bool(self.truncated or self.files or self.bytes or self.read_errors)
