"""A command over several lines that a shell reads as one, so that it fits a terminal and can be copied."""

import re
from collections.abc import Iterator
from typing import Final

_WORD: Final = re.compile(r"""(?:[^\s'"\\]|\\.|'[^']*'|"[^"]*")+""")
_INDENT: Final = "  "
_GOES_ON: Final = " \\"


def folded(command: str, width: int) -> Iterator[str]:
    """Its lines, all but the last with a backslash at the end. A word longer than `width` columns stays whole."""
    line = ""
    for word in _WORD.findall(command):
        longer = f"{line} {word}" if line.strip() else line + word
        if len(longer) + len(_GOES_ON) > width and line.strip():
            yield line + _GOES_ON
            longer = _INDENT + word
        line = longer
    yield line
