"""Loki's range query, as far as one selector and a line filter go: asked of any Loki, and answered for the receiver.

{job="kubernetes-pods-istio-proxy", response_flags="UT"}
{job="kubernetes-pods-istio-proxy"} |~ `UT|NR`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from lab import label_text
from lab.ingester import Stream

MOST = 5000  # entries of an answer: max_entries_limit_per_query
LONGEST = 721 * 3600 * 10**9  # nanoseconds: max_query_length

_FILTER = re.compile(r"(?P<selector>\{.*\})\s*\|~\s*`(?P<pattern>[^`]*)`", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Found:
    """An entry as a query shows it; structured metadata stands among the labels, as Loki puts it."""

    labels: dict[str, str]
    nanos: int
    line: str


async def query_range(base_url: str, selector: str, start: int, end: int) -> list[Found]:
    """Entries from `start` to before `end` (nanoseconds since 1970), oldest first, at most 5000.

    Raises aiohttp.ClientError when Loki can not be asked, or answers with an error.
    """
    wanted = {
        "query": selector,
        "start": str(start),
        "end": str(end),
        "limit": str(MOST),
        "direction": "forward",
    }
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), raise_for_status=True) as session,
        session.get(f"{base_url}/loki/api/v1/query_range", params=wanted) as response,
    ):
        answer = await response.json()
    found = [
        Found(dict(stream["stream"]), int(value[0]), value[1])
        for stream in answer["data"]["result"]
        for value in stream["values"]
    ]
    return sorted(found, key=lambda entry: entry.nanos)


def answer(streams: Mapping[str, Stream], wanted: Mapping[str, str], most: int = MOST) -> dict[str, Any]:
    """The JSON of Loki's answer from these streams.

    Takes selectors of equalities and one line filter alone; anything else is a ValueError.
    """
    query = wanted.get("query", "")
    filtered = _FILTER.fullmatch(query)
    selector = _selector(filtered["selector"] if filtered else query)
    pattern = re.compile(filtered["pattern"].encode() if filtered else b"")
    start, end, limit = int(wanted["start"]), int(wanted["end"]), int(wanted.get("limit", "100"))
    if limit > most:
        raise ValueError(
            f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {most})"
        )
    if end - start > LONGEST:
        raise ValueError("the query time range exceeds the limit (query length: 721h1m0s, limit: 30d1h)")
    matching = [
        (stream, nanos, line)
        for stream in streams.values()
        if all(stream.labels.get(name, "") == value for name, value in selector.items())
        for nanos, line in stream.entries
        if start <= nanos < end and pattern.search(line)
    ]
    matching.sort(key=lambda one: one[1], reverse=wanted.get("direction", "backward") != "forward")
    results: dict[str, tuple[dict[str, str], list[list[str]]]] = {}
    for stream, nanos, line in matching[:limit]:
        labels = {**stream.labels, **dict(stream.metadata[nanos, line])}
        _, values = results.setdefault(label_text.render(labels), (labels, []))
        values.append([str(nanos), line.decode()])
    found = [{"stream": labels, "values": values} for labels, values in results.values()]
    return {"status": "success", "data": {"resultType": "streams", "result": found}}


def _selector(text: str) -> dict[str, str]:
    try:
        parsed = label_text.parse(text)
    except label_text.LabelTextError as error:
        raise ValueError(f"parse error : {error}") from error
    if not parsed:
        raise ValueError("queries require at least one matcher that is not empty-compatible")
    return parsed
