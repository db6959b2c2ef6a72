"""The container runtime's line format: `<RFC3339Nano> <stdout|stderr> <tags> <content>`.

Knows nothing of what the content means. The format is the kubelet's CRI logging format; the first tag is `F` (full)
or `P` (partial: the rest comes with the next line of the same stream), further ones after a colon are ignored.
Lines that begin with `{` need no prefix: `kubectl logs > x.log`.
"""

import re
from typing import NamedTuple

STREAMS = (b"stdout", b"stderr")
PLAIN = b" stdout F "  # between time and content of nearly every line

# How lines begin, as regular expressions, also for whole blocks: `[^ \n]` and `[ \t]` keep a match within its line.
PREFIX = rb"(?:[^ \n]+ (?:stdout|stderr) F(?::[^ \n]*)? )?"
_COLOR = rb"\x1b\[[0-9;:]*m"
COLORED = rb"(?:(?:[ \t]*" + _COLOR + rb")+[ \t]*)?"  # a terminal's colours, by a tool that has printed the line
BARE_JSON = COLORED + rb"[ \t]*\{"  # what begins so has no prefix
TEXT = rb'\[\d{4}-\d\d-\d\dT[^\] \n]*\] "'  # Envoy's text access log in Istio's default format
ZTUNNEL = (  # ztunnel's access log as text
    rb"\d{4}-\d\d-\d\dT[^\t \n]*\t(?:error|warn|info|debug|trace)\taccess\tconnection (?:complete|failed|opened)\t"
)
TEXT_CONTENT = re.compile(TEXT)  # of a line without its prefix and colours
ZTUNNEL_CONTENT = re.compile(ZTUNNEL)  # the same
_BARE_JSON = re.compile(BARE_JSON)
_COLORS_BEFORE, _COLOR_AFTER = re.compile(COLORED), re.compile(_COLOR)


class CriLine(NamedTuple):
    """The parts of one line of a log file; `time` and `stream` are empty where it has no prefix."""

    time: bytes
    stream: bytes
    partial: bool
    content: bytes


def split_line(line: bytes) -> CriLine | None:
    """The parts of a line (without its newline); None when it is neither CRI nor bare JSON."""
    if line[:1] == b"{" or (line[:1] in b" \t\x1b" and _BARE_JSON.match(line)):
        return CriLine(b"", b"", False, line)
    parts = line.split(b" ", 3)
    if len(parts) < 3 or not parts[0] or parts[1] not in STREAMS:
        return None
    time, stream, tags, content = (*parts, b"")[:4]  # an empty line may lack the blank before it
    if tags == b"F" or tags.startswith(b"F:"):
        return CriLine(time, stream, False, content)
    if tags == b"P" or tags.startswith(b"P:"):
        return CriLine(time, stream, True, content)
    return None


def without_colors(content: bytes) -> bytes:
    """A line's content without a terminal's colours around it, which a tool that prints lines may have added.

    Neither JSON nor a text access log holds the sign that begins them.
    """
    if b"\x1b" not in content:
        return content
    content = _COLORS_BEFORE.sub(b"", content, count=1)
    while _COLOR_AFTER.fullmatch(end := content.rstrip(), at := max(0, end.rfind(b"\x1b"))):
        content = content[:at]
    return content
