"""The same report out of Loki: paged so that none of its limits cuts anything, and with the client's own options."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import outage
from lab.faults import reset_before, status
from lab.ingester import Pushed
from lab.label_text import render
from lab.limits import Limits
from lab.loki import LokiReceiver
from shipper.config import ClientConfig
from shipper.model import Entry as Line
from shipper.pipeline.keep import MTLS
from shipper.report import remote, sentences
from shipper.report.build import Builder
from shipper.report.gather import Gathered
from shipper.report.loki.answer import QueryRefused, QueryUnavailable
from shipper.report.loki.client import QueryClient, query_url
from shipper.report.loki.paging import Entry, Pages, PageTooLarge, WindowTooLarge
from shipper.report.loki.query import for_job, with_filter
from shipper.report.model import Report
from shipper.report.period import Period, before
from tests.report.conftest import Morning

QUERY = with_filter(for_job("kubernetes-pods-istio-proxy"))
SECOND = 10**9
MORNING = Period(outage.BEGIN, outage.END)


@pytest.fixture
async def loki() -> AsyncIterator[LokiReceiver]:
    plenty = Limits(rate=1e12, burst=1e12, stream_rate=1e12, stream_burst=1e12)
    async with LokiReceiver(plenty, clock=lambda: outage.END) as receiver:
        yield receiver


@pytest.fixture
async def filled(loki: LokiReceiver, morning: Morning) -> LokiReceiver:
    """With all lines, healthy ones too, as a collector that keeps everything ships them."""
    streams: dict[str, list[Line]] = {}
    for line in morning:
        streams.setdefault(render({**line.labels, "container": "istio-proxy"}), []).append(
            Line(line.nanos, line.content)
        )
    loki.ingester.push([Pushed(labels, lines) for labels, lines in streams.items()], 0)
    return loki


async def asked(
    loki: LokiReceiver, period: Period = MORNING, *, page: int = 5000, window: int = 6 * 3600 * SECOND
) -> Gathered:
    gathered = Gathered()
    async with QueryClient(ClientConfig(url=loki.url), QUERY) as client:
        await remote.gather(client, period.begin, period.end, gathered, page=page, window=window)
    return gathered


def figures(report: Report) -> Any:
    """What must be the same wherever the lines came from; the period of a query is its own."""
    found = msgspec.to_builtins(report)
    for name in ("source", "begin", "end", "lines", "logs", "step"):
        del found[name]
    return json.loads(re.sub(r'"trend": \[[^]]*\]|"quiet": [^,]*', '"left": 0', json.dumps(found)))


@pytest.mark.parametrize(("page", "window"), [(5000, 6 * 3600), (137, 3600)])
async def test_the_figures_are_those_of_the_files(filled: LokiReceiver, report: Report, page: int, window: int) -> None:
    found = Builder(await asked(filled, page=page, window=window * SECOND), "loki").report(1000)
    assert figures(found) == figures(report)
    assert all(int(query.wanted["limit"]) <= max(page, 100) for query in filled.queries)
    assert len(filled.queries) < 40


async def test_only_candidates_come_over_the_network(filled: LokiReceiver) -> None:
    found = await asked(filled)
    assert sum(found.lines.values()) < 1400


async def test_what_is_new_beside_the_time_before(filled: LokiReceiver) -> None:
    now, earlier = Gathered(), Gathered()
    period = Period(outage.EXPIRY, outage.END)
    config = ClientConfig(url=filled.url)
    where = await remote.compared(config, QUERY, now, period, earlier, before(period, "6h"))
    report = Builder(now, where, earlier).report(1000)
    assert report.against is not None
    assert (report.against.end, report.begin) == (report.begin, report.against.end)
    is_new = {row.reason: row.is_new for row in report.rows if row.reason != "handshake_incomplete"}
    assert is_new == {"cert_expired": True, "plaintext": False}
    [expired] = [one for one in report.reasons if one.reason == "cert_expired"]
    assert (expired.before, expired.connections) == (0, outage.EXPIRED)
    assert sentences.growth(report) == (
        "cert_expired (downstream) from 0 to 1,140: 6 h before beside the 27 min 50 s of now"
    )
    assert re.match(
        r"\d+ rows are new, \d+ rows are gone; before \(2026-11-30 08:02:10 to 14:02:10 UTC\) ",
        sentences.compared(report),
    )


async def test_more_lines_in_a_nanosecond_than_fit_a_page(loki: LokiReceiver) -> None:
    plain = [line.content for line in outage.lines() if b"HTTP_REQUEST" in line.content]
    labels = render({"job": "kubernetes-pods-istio-proxy", "pod": "web-0"})
    crowded = [Line(outage.BEGIN + at // 30, content) for at, content in enumerate(plain)]
    loki.ingester.push([Pushed(labels, crowded)], 0)
    found = await asked(loki, page=20)
    assert sum(found.lines.values()) == len(plain)
    assert found.notes == []
    loki.most_entries = 20
    found = await asked(loki, page=25)
    assert sum(found.lines.values()) == 20 + 18
    assert (
        "1 nanosecond held more entries than Loki gives at once (the first: 2026-11-30T08:00:00.000Z)" in found.notes[0]
    )


async def test_loki_says_how_many_entries_it_gives(filled: LokiReceiver) -> None:
    filled.most_entries = 500
    assert (await asked(filled)).fold.totals.keys()
    assert {int(query.wanted["limit"]) for query in filled.queries} == {5000, 500}


async def test_a_loki_that_stumbles_is_asked_again(filled: LokiReceiver) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    filled.query_script += [
        status(429, "too many outstanding requests", {"Retry-After": "7"}),
        status(503),
        reset_before(),
    ]
    filled.query_script += [
        status(504, "context deadline exceeded"),
        status(500, "grpc: received message larger than max (5 vs. 4)"),
    ]
    gathered = Gathered()
    async with QueryClient(ClientConfig(url=filled.url), QUERY, sleep=sleep) as client:
        await remote.gather(client, *MORNING, gathered)
    assert sum(group.count for group in gathered.fold.totals.values()) == 1200
    assert waited[0] == 7
    assert len(waited) == 2  # after the reset it was asked again at once


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(401, "no org id"), "401: Loki needs a tenant: set --tenant-id"),
        (status(401, "go away"), r"401: the credentials are missing or wrong \(go away\)"),
        (status(404, "404 page not found"), "404: the URL's path is wrong"),
        (status(400, "parse error at line 1, col 2: syntax error"), "400: parse error at line 1"),
        (status(200, "<html><title>Sign in</title>"), "this is no answer of Loki's: a login page"),
        (status(200, '{"data":{"resultType":"matrix","result":[]}}'), "the query gives 'matrix', not log lines"),
        (status(302, "", {"Location": "/login"}), "302"),
    ],
)
async def test_what_will_never_work_is_said_at_once(loki: LokiReceiver, answer: Any, said: str) -> None:
    loki.query_script.append(answer)
    with pytest.raises(QueryRefused, match=said):
        await asked(loki)
    assert len(loki.queries) == 1


async def test_a_loki_that_stays_away_is_given_up(loki: LokiReceiver) -> None:
    times = iter([0.0, 30.0, 61.0])

    async def sleep(_: float) -> None: ...

    await loki.refuse()
    config = ClientConfig(url=loki.url)
    async with QueryClient(config, QUERY, clock=lambda: next(times), sleep=sleep) as client:
        with pytest.raises(QueryUnavailable, match="connection refused"):
            await client.ask(0, 1, 10)


async def test_the_clients_own_options_are_used(loki: LokiReceiver, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    config = ClientConfig(
        url=loki.url, tenant_id="security", bearer_token_file=str(tmp_path / "token"), headers={"X-Trace": "1"}
    )
    async with QueryClient(config, QUERY) as client:
        await client.ask(0, SECOND, 10)
    [query] = loki.queries
    sent = [query.headers[name] for name in ("X-Scope-OrgID", "Authorization", "X-Trace")]
    assert sent == ["security", "Bearer secret", "1"]
    assert query.wanted == {"query": QUERY, "start": "0", "end": str(SECOND), "limit": "10", "direction": "forward"}


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://loki:3100", "http://loki:3100/loki/api/v1/query_range"),
        ("http://loki:3100/", "http://loki:3100/loki/api/v1/query_range"),
        ("https://gate/logs/loki/api/v1/push", "https://gate/logs/loki/api/v1/query_range"),
        ("https://gate/loki/api/v1/query_range?x=1", "https://gate/loki/api/v1/query_range"),
    ],
)
def test_any_address_of_a_loki_will_do(url: str, asked: str) -> None:
    assert str(query_url(url)) == asked


def test_a_selector_gets_the_scans_patterns_and_a_query_stays() -> None:
    assert with_filter('{app="a}b"}').startswith('{app="a}b"} |~ `')
    assert with_filter('{app="a"} |= "x"') == '{app="a"} |= "x"'
    assert all(b"`" not in pattern for pattern in MTLS.patterns)


# -- paging alone, against any Loki


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=60),
    st.integers(1, 12),
    st.integers(1, 50),
    st.integers(1, 50),
)
async def test_any_entries_come_once_each(found: list[tuple[int, int]], page: int, window: int, allowed: int) -> None:
    everything = sorted({Entry(nanos, (), str(line)) for nanos, line in found})

    async def ask(begin: int, end: int, most: int) -> list[Entry]:
        if end - begin > allowed and end - begin > 10 * SECOND:
            raise WindowTooLarge("too long")
        return [entry for entry in everything if begin <= entry.nanos < end][:most]

    pages = Pages(ask, page, window)
    came = [entry async for one in pages.between(0, 41) for entry in one]
    assert came == everything
    assert pages.cut == []


async def test_a_page_that_stays_too_large_is_an_error() -> None:
    async def ask(begin: int, end: int, most: int) -> list[Entry]:
        raise PageTooLarge("larger than max")

    with pytest.raises(PageTooLarge):
        _ = [page async for page in Pages(ask).between(0, 1)]


async def test_a_window_that_stays_too_large_is_an_error() -> None:
    async def ask(begin: int, end: int, most: int) -> list[Entry]:
        raise WindowTooLarge("timed out")

    with pytest.raises(WindowTooLarge):
        _ = [page async for page in Pages(ask).between(0, 10**15)]
