"""The pages in a real browser: nothing sticks out at 400 pixels, every text can be read, in light and in dark."""

import json

import pytest
from aiohttp.test_utils import TestServer

from lab import browser
from shipper.pages.routes import routes
from shipper.server import application
from tests.pages.made import Made, told
from tests.pages.readable import check
from tests.tap.test_command import REFUSED

LONG = "spiffe://cluster.local/ns/" + "a-name-that-never-ends/" * 12


def busy() -> Made:
    """An agent with everything there is to show, and names that never end."""
    targets = [
        told(f"{LONG}_{at}/istio-proxy", lag=at * 10**9, paused=at == 2, namespace="shop", pod=LONG) for at in range(3)
    ]
    streams = {f'{{app="a", source_san="{LONG}"}}': f"http_500: {LONG}"}
    made = Made(targets=targets, failing=f"http_503: {LONG}", failing_streams=streams)
    made.metrics.lines_read.inc(123_456_789_012)
    made.metrics.lines_filtered.labels(reason="no_match").inc(123_456_789_000)
    made.metrics.entries_dropped.labels(reason="refused").inc(12)
    made.metrics.files_lost.inc()
    made.metrics.kubernetes_errors.labels(reason="403").inc()
    for side in ("downstream", "upstream"):
        made.metrics.handshake_failures.labels("shop", LONG, "cert_expired", side, "false", "", "").inc(1234)
    made.put(
        json.dumps({**REFUSED, "downstream_peer_uri_san": LONG}).encode(),
        b"\x1b no log",
        app="payment",
        namespace="shop",
    )
    return made


@pytest.mark.skipif(browser.command() is None, reason=browser.MISSING)
async def test_it_fits_and_can_be_read_on_every_screen() -> None:
    async with TestServer(application(routes(busy().facts))) as server, browser.tab() as tab:
        for path in ("/", "/targets?q=shop"):
            await check(tab, str(server.make_url(path)))
        ground = await tab.value("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(18, 22, 26)", "the style sheet was not taken"
        assert (await tab.picture(300)).startswith(b"\x89PNG")
