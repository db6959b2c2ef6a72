"""What stands before and around a line that somebody has copied: a viewer's frame and colours, a prefix.

Cuts it away; says nothing of what the line means.
"""

import re
from collections.abc import Iterator
from typing import Final

_SCREEN: Final = re.compile(rb"\x1b\[[0-9;:?]*[ -/]*[@-~]")  # colours, and what grep and pagers write beside them
_FRAME: Final = " \t│┃║|"
# Where an access log begins: Envoy's text, a JSON object, ztunnel's text.
_BEGIN: Final = re.compile(
    rb'\[\d{4}-\d\d-\d\dT[^\]\s]*\] "'
    rb'|\{\s*"'
    rb"|\d{4}-\d\d-\d\dT\S+\s+(?:info|warn|error)\s+(?:access|hyper_util)\s"
)
_MOST: Final = 4  # places where a line may begin that are tried


def without_colors(content: bytes) -> bytes:
    """What is left without colours, and what else a terminal obeys."""
    return _SCREEN.sub(b"", content)


def unframed(content: bytes) -> bytes:
    """The line without colours and a frame."""
    text = without_colors(content).decode("utf-8", "surrogateescape").strip(_FRAME)
    return text.encode("utf-8", "surrogateescape")


def beginnings(bare: bytes) -> Iterator[tuple[str, bytes]]:
    """What stands before an access log, usually a time and a pod's name, and the access log: for each place where one
    may begin, at least once."""
    starts = [found.start() for found, _ in zip(_BEGIN.finditer(bare), range(_MOST), strict=False)]
    for start in starts or (0,):
        yield bare[:start].decode("utf-8", "replace"), bare[start:]
