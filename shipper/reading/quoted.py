"""Lines that stand in quotes: as a text in JSON, alone or within another line, or in comma-separated values."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import orjson

_ESCAPED: Final = b'{\\"'


def unquoted(line: bytes) -> Iterator[tuple[str, bytes]]:
    """The texts that may be access logs, each with the rest of its line."""
    if line[:1] == b'"':
        with suppress(ValueError):
            yield "", str(orjson.loads(line.rstrip(b", "))).encode(errors="replace")
    if (at := line.find(_ESCAPED)) >= 0:
        before, end = line[:at], line.rfind(b"}")
        with suppress(ValueError):
            yield before.decode("utf-8", "replace"), str(orjson.loads(b'"' + line[at : end + 1] + b'"')).encode()
    if b'""' in line:  # a quote in such a table
        with suppress(csv.Error):
            fields = next(csv.reader([line.decode("utf-8", "replace")]), [])
            for at, field in enumerate(fields):
                yield " ".join(fields[:at]), field.encode()
