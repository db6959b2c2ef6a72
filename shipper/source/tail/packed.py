"""Rotated files in a compression that is not read: each is said once, and passed over.

Known by their names or, under any name, by their first bytes.
"""

import logging
from collections.abc import Iterable
from typing import Final

log = logging.getLogger(__name__)

# How compressed data begins: gzip, compress, xz, bzip2, zstd, lz4, zip, 7z.
_MAGIC: Final = (
    b"\x1f\x8b",
    b"\x1f\x9d",
    b"\xfd7zXZ\0",
    b"BZh",
    b"(\xb5/\xfd",
    b"\x04\x22M\x18",
    b"PK\3\4",
    b"7z\xbc\xaf",
)


def is_packed(head: bytes) -> bool:
    """Whether a file that begins with these bytes is compressed."""
    return head.startswith(_MAGIC)


class PassedOver:
    """What is passed over in one directory: names, or identities of files whose names do not tell it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._known: frozenset[object] = frozenset()

    def __contains__(self, key: object) -> bool:
        return key in self._known

    def add(self, key: object, name: str) -> None:
        """Say once that this file is not read."""
        if key not in self._known:
            self._known |= {key}
            log.warning("%s/%s is compressed in a way that is not read, and is passed over: normal beside a log whose "
                        "lines were shipped before; otherwise use gzip, or logrotate's delaycompress",
                        self._directory, name)  # fmt: skip

    def keep(self, keys: Iterable[object]) -> None:
        """Forget all but these: the others are gone."""
        if self._known:
            self._known &= frozenset(keys)
