"""Whether a page fits and can be read, asked in a real browser."""

from lab.browser import Tab

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


async def check(tab: Tab, url: str) -> None:
    """Nothing sticks out, and every text can be read: on a narrow screen and a wide one, in light and in dark."""
    for width in WIDTHS:
        for dark in (False, True):
            await tab.open(url, width, dark=dark)
            await tab.value(OPEN_ALL)
            where = f"{url} at {width}, {'dark' if dark else 'light'}"
            assert await tab.value(STICKS_OUT) == [], where
            assert await tab.value(HARD_TO_READ) == [], where
