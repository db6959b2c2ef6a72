"""Lines that stand in quotes: as a text in JSON, alone or within another line, or in comma-separated values."""

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from html import unescape
from typing import Final

import orjson

_ESCAPED: Final = b'{\\"'
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)++"')  # in which something is escaped
_MOST: Final = 8  # of such texts


def unquoted(line: bytes) -> Iterator[tuple[str, bytes]]:
    """The texts that may be access logs, each with the rest of its line."""
    if line[:1] == b'"':
        with suppress(ValueError):
            yield "", str(orjson.loads(line.rstrip(b", "))).encode(errors="replace")
    for text, _ in zip(_TEXT.finditer(line), range(_MOST), strict=False):  # as Fluent Bit's stdout: `"log"=>"…"`
        with suppress(ValueError):
            yield line[: text.start()].decode("utf-8", "replace"), str(orjson.loads(text[0])).encode(errors="replace")
    if (at := line.find(_ESCAPED)) >= 0:
        before, end = line[:at], line.rfind(b"}")
        with suppress(ValueError):
            yield before.decode("utf-8", "replace"), str(orjson.loads(b'"' + line[at : end + 1] + b'"')).encode()
    if b"&quot;" in line:  # out of a page's source
        yield "", unescape(line.decode("utf-8", "replace")).encode()
    if b'""' in line:  # a quote in such a table
        with suppress(csv.Error):
            fields = next(csv.reader([line.decode("utf-8", "replace")]), [])
            for at, field in enumerate(fields):
                yield " ".join(fields[:at]), field.encode()
