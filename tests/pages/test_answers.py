"""What each path answers: to whom, in which form, and what it never shows."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from lab.lines import timed_out
from shipper import __version__
from shipper.pages.answers import ANSWERS
from shipper.pages.logs import logs_page
from shipper.pages.overview import overview
from shipper.server import HEADERS
from tests.pages.made import Made, told
from tests.pages.test_html import HOSTILE, seen

BROWSER = {"Accept": "text/html,*/*;q=0.8"}
SAN = "spiffe://cluster.local/ns/shop/sa/legacy"
IN_A_POD = "server: {http_listen_address: 0.0.0.0}"


async def page(made: Made, path: str = "/", **headers: str) -> str:
    async with made.client() as client, client.get(path, headers={**BROWSER, **headers}) as response:
        assert response.status == 200
        assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert response.content_type == "text/html"
        return await response.text()


async def test_the_overview_says_what_it_is_and_how_it_is() -> None:
    made = Made(targets=[told("bank_ledger-0_1/istio-proxy", namespace="bank", pod="ledger-0")])
    made.metrics.lines_read.inc(10)
    made.metrics.lines_filtered.labels(reason="no_match").inc(7)
    text = seen(await page(made)).text
    for said in (__version__, "node-1", "lines flagged UT", "1.0 MiB of 16.0 MiB",
                 "stored something last at", "no_match", "bank/ledger-0", "no pod yet"):  # fmt: skip
        assert said in text, said


async def test_it_says_since_when_loki_fails() -> None:
    text = seen(await page(Made(failing="http_503: busy"))).text
    assert "accepts no pushes since 2026-01-30 10:15:02 UTC" in text
    assert "http_503: busy" in text


async def test_failures_are_told_by_side_and_never_summed_over_both() -> None:
    made = Made()
    for side, times in (("downstream", 3), ("upstream", 4)):
        made.metrics.handshake_failures.labels(
            "shop", "payment", "cert_expired", side, "false", "default", "legacy"
        ).inc(times)
    text = seen(await page(made)).text
    first, _, second = text.partition("Servers at which this node's proxies failed")
    assert "shop/paymentcert_expired3" in first
    assert "shop/paymentcert_expired4" in second
    assert "7" not in second.partition("Ledger")[0]


async def test_a_node_without_anything_is_a_page_too() -> None:
    text = seen(await page(Made("", node=""))).text
    assert "no client is configured" in text
    assert "None was found." in text


async def test_an_agent_has_every_path() -> None:
    async with Made().client() as client:
        for path in set(ANSWERS) - {"/tap"}:
            async with client.get(path) as response:
                assert response.status == 200, path
        async with client.get("/%74argets") as response:
            assert response.status == 200
        async with client.get("/index.html") as response:
            assert response.status == 404
            assert "/, /targets, /config, /tap, /metrics" in await response.text()


@pytest.mark.parametrize("accept", ["", "*/*", "application/json"])
async def test_a_program_is_given_json(accept: str) -> None:
    made = Made(targets=[told()])
    async with made.client() as client, client.get("/targets", headers={"Accept": accept}) as response:
        assert (response.content_type, response.headers["Vary"]) == ("application/json", "Accept")
        assert await response.json() == made.facts.describe()


async def test_the_configuration_is_yaml_without_secrets() -> None:
    async with Made().client() as client, client.get("/config") as response:
        assert response.content_type == "text/plain"
        text = await response.text()
    assert yaml.safe_load(text)["clients"][0]["headers"] == {"X-Key": "(hidden)"}
    assert "secret" not in text + await page(Made())


# -- the table of logs


def logs() -> list[Any]:
    return [
        told("shop_a-0_1/istio-proxy", lag=5, namespace="shop", pod="a-0"),
        told("shop_b-0_1/istio-proxy", lag=5000, paused=True, namespace="shop", pod="b-0"),
        told("bank_c-0_1/istio-proxy", namespace="bank", pod="c-0"),
    ]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["shop/b-0", "shop/a-0", "bank/c-0"]),
        ("?sort=log", ["bank/c-0", "shop/a-0", "shop/b-0"]),
        ("?q=SHOP+a", ["shop/a-0"]),
        ("?state=paused", ["shop/b-0"]),
        ("?state=behind", ["shop/b-0", "shop/a-0"]),
        ("?sort=none&state=none", ["shop/b-0", "shop/a-0", "bank/c-0"]),
        ("?q=nothing", []),
    ],
)
async def test_logs_are_sorted_and_chosen(query: str, names: list[str]) -> None:
    text = seen(await page(Made(targets=logs()), f"/targets{query}")).text
    at = {name: text.find(name) for name in ("shop/a-0", "shop/b-0", "bank/c-0")}
    assert sorted((name for name in at if at[name] >= 0), key=at.__getitem__) == names


async def test_a_page_holds_so_many_logs_and_says_so() -> None:
    text = await page(Made(targets=[told(f"shop_a-{at}_1/istio-proxy") for at in range(2000)]), "/targets")
    assert text.count("<tr>") == 201
    assert "2,000 logs; the first 200 are shown" in text


# -- what is not shown


@pytest.mark.parametrize(
    ("config", "host", "shows"),
    [
        ("", "127.0.0.1:9080", True),
        ("", "localhost", True),
        ("", "[::1]:9080", True),
        ("", "evil.example:9080", False),  # DNS rebinding
        ("", "", False),
        ("server: {show_lines: true}", "node.example", True),
        (IN_A_POD, "127.0.0.1", False),
        ("server: {http_listen_address: 0.0.0.0, show_lines: true}", "10.0.0.7:9080", True),
        ("server: {http_listen_address: 10.0.0.7}", "10.0.0.7:9080", False),
    ],
)
async def test_lines_and_identities_are_shown_to_whom_they_may(config: str, host: str, shows: bool) -> None:
    made = Made(config, failing_streams={f'{{app="a", source_san="{SAN}"}}': f"refused: {SAN}"}, failing=f"busy: {SAN}")
    if made.facts.tap:
        made.put(timed_out(1, downstream_peer_uri_san=SAN, path="/private"), source_san=SAN)
    text = await page(made, "/", Host=host)
    assert ("/private" in text, SAN in text) == (shows, shows)
    async with made.client() as client, client.get("/targets", headers={"Host": host}) as response:
        assert (SAN in await response.text()) == shows
    if not shows:
        assert "Lines and identities are not shown here" in text
        async with made.client() as client, client.get("/tap", headers={"Host": host}) as response:
            assert response.status == 403
            assert "server.show_lines: true" in await response.text()


async def test_a_kept_line_stands_with_why_it_failed() -> None:
    made = Made("scrape_configs: [{keep: mtls, fields: {response_flags: flags}}]")
    made.put(
        json.dumps({"flags": "UT", "start_time": "2026-11-30T10:00:00Z"}).encode(), app="payment", namespace="shop"
    )
    made.put(b"no access log", app="payment")
    text = seen(await page(made)).text
    assert "upstream_timeout" in text
    assert "shop/payment" in text
    assert "cannot be read" in text


async def test_the_newest_fifty_are_shown() -> None:
    made = Made()
    for at in range(30):
        made.put(timed_out(at), timed_out(100 + at), timed_out(200 + at), app="a")
    text = await page(made)
    assert text.count("<time") == 50
    assert '"229"' in seen(text).text


TAGS = {
    *("html", "head", "meta", "title", "link", "body", "header", "nav", "main", "section", "h1", "h2", "h3", "div"),
    *(
        "p",
        "span",
        "a",
        "dl",
        "dt",
        "dd",
        "ul",
        "li",
        "code",
        "pre",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "svg",
    ),
    *("rect", "details", "summary", "time", "form", "input", "select", "option", "button"),
}
ATTRIBUTES = {
    *("action", "aria-current", "aria-hidden", "aria-label", "charset", "class", "content", "data-label", "height"),
    *("href", "lang", "method", "name", "placeholder", "rel", "scope", "selected", "title", "type", "value", "width"),
}


@settings(max_examples=40, deadline=None)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_name_comes_out_raw(name: str, value: str, line: str) -> None:
    log = told(name, namespace=value, pod=name, app=value)
    log["files"][0]["name"] = name
    log["ledger"]["filtered"] = {value: 3}
    made = Made(targets=[log], node=name, failing=value, failing_streams={name: value})
    made.metrics.handshake_failures.labels(name, value, value, "downstream", "true", value, value).inc()
    record = {"response_flags": "UT", "downstream_peer_uri_san": value, "authority": name}
    label = value.encode(errors="replace").decode()
    made.put(line.encode(errors="surrogatepass"), json.dumps(record).encode(), app=label)
    query = {"q": value, "state": name}
    for text in (overview(made.facts, made.facts.describe(), ""), logs_page(made.facts, made.targets, query)):
        found = seen(text)
        assert set(found.tags) <= TAGS
        assert {key for key, _ in found.attributes} <= ATTRIBUTES
        assert all(href is not None and href[0] == "/" for key, href in found.attributes if key in ("href", "action"))
