"""A Loki's entries to what was counted of them."""

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Final

from shipper.config import ClientConfig
from shipper.pipeline.labels import OVERFLOW
from shipper.report import words
from shipper.report.gather import Gathered
from shipper.report.loki.answer import QueryRefused, QueryUnavailable
from shipper.report.loki.client import QueryClient
from shipper.report.loki.paging import PAGE, WINDOW, Entry, Labels, Pages, PageTooLarge, WindowTooLarge
from shipper.report.period import Period
from shipper.report.whose import pod_key

_FIELDS: Final = (
    *("namespace", "pod", "container", "app", "node"),
    *("peer_kind", "peer_namespace", "peer_app", "peer_pod", "peer_node", "peer_owner"),
)

ERRORS: Final = (QueryRefused, QueryUnavailable, PageTooLarge, WindowTooLarge)
"""Why a Loki has not told all that was asked for, in words for the operator."""


async def gather(
    client: QueryClient, begin: int, end: int, gathered: Gathered, *, page: int = PAGE, window: int = WINDOW
) -> None:
    """Count all entries in [begin, end), nanoseconds since 1970. Raises what the client raises."""
    pages = Pages(client.ask, page, window)
    await count_all(pages.between(begin, end), gathered)
    gathered.spans(begin, end)
    if pages.cut:
        at = words.rfc3339(pages.cut[0])
        count = words.counted(len(pages.cut), "nanosecond")
        gathered.notes.append(
            f"{count} held more entries than Loki gives at once (the first: {at}): some are not counted; raise its "
            "max_entries_limit_per_query"
        )
    gathered.notes.extend(f"Loki: {warning}" for warning in client.warnings)


async def count_all(pages: AsyncIterator[list[Entry]], gathered: Gathered) -> None:
    """Count the entries of these pages."""
    async for page in pages:
        for entry in page:
            fields = fields_of(entry.labels)
            reader = gathered.reader_of(pod_key(fields) or str(entry.labels), fields)
            gathered.count(reader.feed_entry(entry.nanos, entry.line.encode(errors="replace"), fields))


@lru_cache(maxsize=4096)
def fields_of(labels: Labels) -> dict[str, str]:
    """What the labels of a stream tell of its log, and of its peer. That peers had too many names is no name."""
    told = {name: value for name, value in labels if name in _FIELDS and value}
    return {name: value for name, value in told.items() if value != OVERFLOW or not name.startswith("peer_")}


async def compared(
    config: ClientConfig, query: str, now: Gathered, period: Period, before: Gathered | None, earlier: Period | None
) -> str:
    """Count what one Loki has of a period, and of an earlier one; returns where that was. Raises what the client
    raises."""
    async with QueryClient(config, query) as client:
        if before is not None and earlier is not None:
            await gather(client, earlier.begin, earlier.end, before)
        await gather(client, period.begin, period.end, now)
        return f"{client.url.with_user(None).with_password(None).origin()}: {query}"
