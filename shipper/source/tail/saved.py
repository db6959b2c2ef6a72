"""What a restart needs to know of a file."""

from typing import Annotated

import msgspec


class SavedFile(msgspec.Struct, frozen=True):
    """One file of `size` bytes when it was last seen: `offset` of them are shipped; `head` of them hash to `digest`."""

    name: str
    device: int
    inode: int
    head: Annotated[int, msgspec.Meta(ge=0)]
    digest: str
    offset: Annotated[int, msgspec.Meta(ge=0)]
    size: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def unread(self) -> int:
        """Bytes that were there and not shipped."""
        return max(0, self.size - self.offset)
