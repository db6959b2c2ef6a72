"""LogQL for the lines that may tell of a failure: a selector, and the scan's patterns as a line filter.

So Loki itself passes over healthy lines, where it holds all of them. The patterns are written so that RE2 reads them as
the scan does: literals, classes and escapes.
"""

import re
from collections.abc import Sequence
from typing import Final

from shipper.pipeline.keep import MTLS
from shipper.pipeline.labels import quote

_SELECTOR: Final = re.compile(r'\s*\{(?:[^"`{}]|"(?:[^"\\]|\\.)*"|`[^`]*`)*\}\s*', re.DOTALL)


def for_job(job: str) -> str:
    """The selector of all streams of a job."""
    return f"{{job={quote(job)}}}"


def with_filter(query: str, patterns: Sequence[bytes] = MTLS.patterns) -> str:
    """The query; a selector alone gets the line filter."""
    if not _SELECTOR.fullmatch(query):
        return query
    return f"{query.strip()} |~ `{'|'.join(pattern.decode() for pattern in patterns)}`"
