"""How many lines of a block are of which kind, without a look at each.

Lines that no pattern of the scan has matched are told apart only by how they begin.
"""

import re
from collections import Counter
from operator import attrgetter
from typing import Final, NamedTuple

from stringzilla import count, find

from shipper.pipeline.cri import BARE_JSON, COLORED, PLAIN, PREFIX, TEXT, ZTUNNEL
from shipper.pipeline.scan import NEWLINE, count_lines

_PLAIN_JSON: Final = PLAIN + b"{"
_PLAIN_DATED: Final = (
    b"Z" + PLAIN + b"2"
)  # as the lines of ztunnel begin, and those of a proxy's own log; with the end of a time
_OF_ZTUNNEL: Final = b"\taccess\tconnection "  # ztunnel writes a tab only between the parts of a line
_BEGINNING: Final = 64  # bytes: a time and what stands between it and the content

_LINE: Final = rb"(?:%s|%s%s(?:[ \t]*\{|(%s)|(%s)))" % (BARE_JSON, PREFIX, COLORED, TEXT, ZTUNNEL)
_FIRST_LINE: Final = re.compile(_LINE)
_NEXT_LINE: Final = re.compile(NEWLINE + _LINE)  # a literal to begin with: six times as fast as `(?m)^`
_kind = attrgetter("lastindex")  # of a match of these: None of JSON, 1 of Envoy's text, 2 of ztunnel's


class Kinds(NamedTuple):
    """Lines by kind; what is left of `lines` is neither JSON nor the text of an access log."""

    lines: int
    json: int
    text: int  # in Istio's text format, of Envoy
    ztunnel: int  # of ztunnel's access log, as text


def kinds_of(data: memoryview) -> Kinds:
    """The kinds of these whole lines.

    Where the text of a line looks like the beginning of another, lines may be counted as of another kind: to look at
    each would cost half the speed.
    """
    lines = count_lines(data)
    if find(data[:_BEGINNING], _PLAIN_DATED) >= 0:  # most likely a ztunnel's, of which two counts tell all
        of_ztunnel = count(data, _OF_ZTUNNEL)
        if of_ztunnel == lines or count(data, _PLAIN_DATED) == lines:
            return Kinds(lines, 0, 0, min(of_ztunnel, lines))
    json = count(data, _PLAIN_JSON)
    if json == lines:
        return Kinds(lines, json, 0, 0)
    if json + (dated := count(data, _PLAIN_DATED)) == lines:
        return Kinds(lines, json, 0, min(dated, count(data, _OF_ZTUNNEL)))
    return kinds_by_line(data)


def kinds_by_line(data: memoryview) -> Kinds:
    """The same, by how each line begins: 1 ms a MiB."""
    found = Counter(map(_kind, _NEXT_LINE.finditer(data)))
    if first := _FIRST_LINE.match(data):
        found[first.lastindex] += 1
    return Kinds(count_lines(data), found[None], found[1], found[2])


def is_access_log(line: bytes) -> bool:
    """Whether a line of a log is JSON or the text of an access log, as it is counted here."""
    return _FIRST_LINE.match(line) is not None
