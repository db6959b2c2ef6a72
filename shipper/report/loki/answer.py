"""What an answer to a query means: entries, or an error named by what to do about it. Pure.

Texts are those of Loki 2.9 to 3.7 (pkg/validation, pkg/querier/queryrange, pkg/logql).
"""

import re
from typing import Final

import orjson

from shipper.report.loki.paging import Entry, PageTooLarge, WindowTooLarge
from shipper.sink.answers.page import described, readable

_MOST_ENTRIES: Final = re.compile(r"max entries limit per query exceeded.*\(\d+ > (\d+)\)")
_PAGE: Final = re.compile(r"larger than max|response larger than the max|response too large|bytes limit", re.IGNORECASE)
_WINDOW: Final = re.compile(
    r"query time range exceeds|too many bytes|query length|context deadline exceeded|timed? ?out"
    r"|too many chunks|chunks .* exceed|maximum of series",
    re.IGNORECASE,
)
_MEANING: Final = {
    401: "the credentials are missing or wrong",
    403: "the credentials do not allow queries",
    404: "the URL's path is wrong: it is that of Loki, before /loki/api/v1/",
    407: "the proxy wants credentials, see HTTP_PROXY and HTTPS_PROXY",
}


class QueryUnavailable(Exception):
    """Loki does not answer now: the same again, later. `after`: seconds that it asks for; 0: none."""

    def __init__(self, text: str, after: float = 0.0) -> None:
        super().__init__(text)
        self.after = after


class QueryRefused(Exception):
    """It will never be answered: the text says why."""


def entries_of(body: bytes, content_type: str) -> tuple[list[Entry], list[str]]:
    """The entries of an answer, the oldest first, and Loki's warnings. Raises QueryRefused for any other answer."""
    try:
        answer = orjson.loads(body)
        data = answer["data"]
        if data["resultType"] != "streams":
            raise QueryRefused(f"the query gives {data['resultType']!r}, not log lines: leave out what counts them")
        entries = [
            Entry(int(value[0]), tuple(sorted(stream["stream"].items())), value[1])
            for stream in data["result"]
            for value in stream["values"]
        ]
        warnings = [str(one) for one in answer.get("warnings") or ()]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        what = described(body[:1000].decode(errors="replace"), content_type)
        raise QueryRefused(f"this is no answer of Loki's: {what}; check the URL, and what stands in front") from error
    entries.sort(key=_time)
    return entries, warnings


def _time(entry: Entry) -> int:
    return entry.nanos


def error_of(status: int, text: str, after: float) -> Exception:
    """The error that a status and its text mean."""
    said = readable(text)[:300]
    if "no org id" in text:
        return QueryRefused(f"{status}: Loki needs a tenant: set --tenant-id ({said})")
    if most := _MOST_ENTRIES.search(text):
        return PageTooLarge(said, int(most[1]))
    if status == 413 or _PAGE.search(text):
        return PageTooLarge(said)
    if _WINDOW.search(text):
        return WindowTooLarge(f"{status}: {said}")
    if status in (408, 425, 429) or status >= 500:
        return QueryUnavailable(f"{status}: {said}", after)
    meaning = _MEANING.get(status, "")
    return QueryRefused(f"{status}: {meaning}{f' ({said})' if meaning and said else said}")
