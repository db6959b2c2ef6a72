"""The floors of this machine: what the same bytes cost at least, measured in the same run as the agent.

Each gives CPU seconds of this process. Knows bytes and files; nothing of the agent.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
from stringzilla import count, find

BLOCK = 1 << 20
NEWLINE = b"\n"
LITERALS = (b'"UT', b",UT", b"\\u00")  # as a loop of a few lines would look for them

_buffer = memoryview(bytearray(BLOCK))  # written to now, so that no floor pays for its pages


def read(files: Sequence[Path]) -> float:
    """Reading all of it into one buffer."""
    begun = time.process_time()
    for _ in _blocks(files):
        pass
    return time.process_time() - begun


def scan(files: Sequence[Path]) -> float:
    """Reading, counting newlines, and a search for each literal that a line flagged `UT` may hold."""
    begun = time.process_time()
    for block in _blocks(files):
        count(block, NEWLINE)
        for literal in LITERALS:
            at = find(block, literal)
            while at >= 0:
                at = find(block, literal, at + 1)
    return time.process_time() - begun


def parse(files: Sequence[Path]) -> float:
    """Splitting into lines, and `orjson.loads` of each JSON part; without reading."""
    spent = 0.0
    for block in _blocks(files):
        begun = time.process_time()
        for line in bytes(block).split(NEWLINE)[1:-1]:  # whole ones
            orjson.loads(line.split(b" ", 3)[3])
        spent += time.process_time() - begun
    return spent


FLOORS: dict[str, Callable[[Sequence[Path]], float]] = {"read": read, "scan": scan, "parse": parse}


def _blocks(files: Sequence[Path]) -> Iterator[memoryview]:
    for path in files:
        fd = os.open(path, os.O_RDONLY)
        try:
            at = 0
            while length := os.preadv(fd, [_buffer], at):
                yield _buffer[:length]
                at += length
        finally:
            os.close(fd)
