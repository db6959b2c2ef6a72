"""A fingerprint of a file's first bytes: with device and inode it identifies a file, whatever its name.

An inode alone is not enough, for inodes are used again. The first bytes of a container's log hold a time in
nanoseconds, so no other file begins with the same ones.
"""

import hashlib
from typing import NamedTuple

HEAD_BYTES = 1024
TELLING_BYTES = 32  # fewer can be equal by chance; a CRI time and stream are as long


class Fingerprint(NamedTuple):
    """A hash of a file's first `size` bytes, 1,024 at most; that of an empty file has size 0."""

    size: int = 0
    digest: str = ""

    @classmethod
    def of(cls, head: bytes) -> "Fingerprint":
        """The fingerprint of a file that begins with these bytes."""
        head = head[:HEAD_BYTES]
        return cls(len(head), hashlib.blake2b(head, digest_size=16).hexdigest()) if head else cls()

    def matches(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes can be the same one, grown or not."""
        return not self.size or (len(head) >= self.size and Fingerprint.of(head[: self.size]) == self)

    @property
    def is_telling(self) -> bool:
        """Whether a match alone, without the inode, means the same file."""
        return self.size >= TELLING_BYTES
