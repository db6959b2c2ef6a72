"""The pages in a real browser: nothing sticks out at 400 pixels, every text can be read, in light and in dark."""

import json

import pytest
from aiohttp.test_utils import TestServer

from lab import browser
from shipper.pages.routes import routes
from shipper.server import application
from tests.pages.made import Made, told
from tests.tap.test_command import REFUSED

LONG = "spiffe://cluster.local/ns/" + "a-name-that-never-ends/" * 12
WIDTHS = (400, 1600)

OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
STICKS_OUT = """[...document.querySelectorAll('body *')]
    .filter(one => !one.closest('.unseen, thead') && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.tagName + '.' + one.className + ': ' + one.textContent.slice(0, 40))
    .concat(document.documentElement.scrollWidth > innerWidth ? ['the page'] : [])"""
# Contrast as WCAG 2.2 defines it, of each text with what is behind it.
HARD_TO_READ = """(() => {
    const rgb = text => text.match(/[\\d.]+/g).map(Number)
    const light = ([r, g, b]) => [r, g, b].map(one => one / 255)
        .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
        .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0)
    const behind = one => {
        const found = rgb(getComputedStyle(one).backgroundColor)
        return found.length == 3 || found[3] > 0 || !one.parentElement ? found : behind(one.parentElement)
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = new Set()
    while (walker.nextNode()) {
        const one = walker.currentNode.parentElement
        if (!walker.currentNode.data.trim()) continue
        const [low, high] = [light(rgb(getComputedStyle(one).color)), light(behind(one))].sort((a, b) => a - b)
        const contrast = (high + 0.05) / (low + 0.05)
        if (contrast < 4.5) found.add(one.tagName + '.' + one.className + ' ' + contrast.toFixed(2))
    }
    return [...found]
})()"""


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
        made.metrics.handshake_failures.labels("shop", LONG, "cert_expired", side, "false").inc(1234)
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
            for width in WIDTHS:
                for dark in (False, True):
                    await tab.open(str(server.make_url(path)), width, dark=dark)
                    await tab.value(OPEN_ALL)
                    where = f"{path} at {width}, {'dark' if dark else 'light'}"
                    assert await tab.value(STICKS_OUT) == [], where
                    assert await tab.value(HARD_TO_READ) == [], where
        ground = await tab.value("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(18, 22, 26)", "the style sheet was not taken"
        assert (await tab.picture(300)).startswith(b"\x89PNG")
